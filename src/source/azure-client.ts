import type { BlobServiceClient, newPipeline, StoragePipelineOptions } from "@azure/storage-blob";
import { StokerError } from "../base/errors.ts";
import type { AzureAccount } from "./azure-account.ts";

/** Tries of one request and the delays between them; the reader resumes beyond that, see blob-source.ts. */
const RETRIES = { maxTries: 3, retryDelayInMs: 500, maxRetryDelayInMs: 5_000 };

type Credential = Parameters<typeof newPipeline>[0];

/** The part of `@azure/identity` that is used: it is an optional dependency. */
interface IdentityModule {
  DefaultAzureCredential: new () => NonNullable<Credential>;
}

/**
 * Connects to an account. The storage library is loaded here, with the first blob: it takes a third of a second. Redirects
 * are not followed, so nothing outside the account is ever read. Throws StokerError `setting` when the account needs
 * managed identity and its library is not installed.
 */
export async function openAzureClient(account: AzureAccount): Promise<BlobServiceClient> {
  const { AnonymousCredential, BlobServiceClient, StorageSharedKeyCredential, newPipeline } =
    await import("@azure/storage-blob");
  const { credential } = account;
  let proof: Credential;
  let url = account.endpoint;
  if (credential.kind === "shared-key") {
    proof = new StorageSharedKeyCredential(credential.accountName, credential.accountKey);
  } else if (credential.kind === "sas") {
    proof = new AnonymousCredential();
    url += `?${credential.query}`;
  } else {
    const { DefaultAzureCredential } = await loadIdentity();
    proof = new DefaultAzureCredential();
  }
  // redirectOptions is handed on to the request pipeline although the storage library's own type does not list it
  const options: StoragePipelineOptions & { redirectOptions: { maxRetries: number } } = {
    retryOptions: RETRIES,
    redirectOptions: { maxRetries: 0 },
  };
  return new BlobServiceClient(url, newPipeline(proof, options));
}

async function loadIdentity(): Promise<IdentityModule> {
  // not a literal: neither the compiler nor a bundler may insist on a package that is optional
  const name = "@azure/identity";
  try {
    return (await import(name)) as IdentityModule;
  } catch (cause) {
    const message =
      "STOKER_AZURE_STORAGE_URL needs managed identity, and with it the package @azure/identity: " +
      "run `npm install @azure/identity`, or set STOKER_AZURE_STORAGE_CONNECTION_STRING.";
    throw new StokerError("setting", message, { expression: "STOKER_AZURE_STORAGE_URL", cause });
  }
}
