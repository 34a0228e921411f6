const CHARACTERS =
  "Error container name contains invalid characters. Only lowercase letters, numbers, and hyphens are allowed. " +
  "The name must begin and end with a letter or a number. The name can't contain two consecutive hyphens.";
const LENGTH = "The error container name must be between 3 and 63 characters long.";

/** What is wrong with an `errorContainerName`, in the words of contract 7.2; undefined when nothing is. */
export function checkContainerName(name: string): string | undefined {
  if (name !== "" && !/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name)) return CHARACTERS;
  if (name.length < 3 || name.length > 63) return LENGTH;
  return undefined;
}
