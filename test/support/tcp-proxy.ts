import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A TCP proxy in front of a real server that can break connections, as networks do. */
export interface TcpProxy {
  port: number;
  /** Connections made so far. */
  connections: number;
  /** Bytes of answers passed on so far. */
  passed: number;
  /** After how many bytes of answers each of the next connections breaks; none breaks when empty. */
  breakAfter: number[];
  close(): Promise<void>;
}

/** Starts a proxy on a free port of 127.0.0.1 to `targetPort` of 127.0.0.1. */
export async function openTcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect(targetPort, "127.0.0.1");
    proxy.connections++;
    let left = proxy.breakAfter.shift() ?? Infinity;
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        target.destroy();
      });
    }
    client.pipe(target);
    target.on("data", (data: Buffer) => {
      proxy.passed += data.length;
      left -= data.length;
      if (left < 0) client.resetAndDestroy();
      else if (!client.write(data)) target.pause();
    });
    client.on("drain", () => target.resume());
  });
  const proxy: TcpProxy = {
    port: 0,
    connections: 0,
    passed: 0,
    breakAfter: [],
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address !== null && typeof address === "object") proxy.port = address.port;
  return proxy;
}
