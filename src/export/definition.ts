/** What an export is to contain, as it was asked for and as it is kept in the job's row. */
export interface ExportDefinition {
  readonly level: "system" | "patient" | "group";
  /** Id of the Group, for level `group`. */
  readonly group?: string;
  /** Ids of the patients that the export is confined to (parameter `patient`). */
  readonly patients?: readonly string[];
  /** Resource types, in the order of their names. */
  readonly types: readonly string[];
  /** Only what was changed after this instant, in milliseconds since 1970. */
  readonly since?: number;
  /** Only what was changed at or before this instant, in milliseconds since 1970. */
  readonly until?: number;
  /** Elements to keep; without `type` for all types. */
  readonly elements: readonly { readonly type?: string; readonly name: string }[];
  /** Searches of which one must find a resource of the type. */
  readonly filters: readonly { readonly type: string; readonly query: string }[];
  /** Versions that are not current, too (`includeAssociatedData=_history`). */
  readonly history: boolean;
  /** Deletions, too, as lines with the soft-delete marker (`includeAssociatedData=_deleted`). */
  readonly deleted: boolean;
  /** Container of the storage account that the files are written to; undefined: the usual one. */
  readonly container?: string;
}

/** Why an export failed, as its status says it. */
export interface ExportFailure {
  readonly status: number;
  readonly code: string;
  readonly text: string;
}

/** A finished file. */
export interface ExportedFile {
  readonly kind: "output" | "deleted";
  /** `Patient-1.ndjson` */
  readonly name: string;
  readonly type: string;
  readonly resources: number;
  readonly bytes: number;
  /** Where it is in the storage account; null for a file of the server's own folder. */
  readonly url: string | null;
}
