/**
 * The worker's side of `Asker`: each message is handled, and what came of it is sent back.
 */

/** @param {Record<string, (message: any) => any>} handlers by the kind of message; null is not sent back */
export function serve(handlers) {
  self.onmessage = async ({ data }) => {
    let reply;
    try {
      reply = await handlers[data.kind](data);
    } catch (error) {
      reply = { kind: "fault", ticket: data.ticket ?? null, message: String(error?.message ?? error) };
    }
    if (reply) self.postMessage(reply, reply.bits ? [reply.bits.buffer] : []);
  };
}
