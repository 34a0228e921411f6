import type { Logger } from "../base/logger.ts";

/** Tells whoever started the program something, in a sentence or two. */
export type Notice = (text: string) => void;

/** Notices for people: plain lines on a terminal, and log lines where standard error is read by programs. */
export function openNotices(logger: Logger, stream: NodeJS.WriteStream = process.stderr): Notice {
  return (text) => {
    if (stream.isTTY) stream.write(`${text}\n`);
    else logger.info(text);
  };
}
