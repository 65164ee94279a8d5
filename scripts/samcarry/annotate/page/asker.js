/**
 * The page's side of the worker that runs a network.
 */

export class Asker {
  /**
   * @param {string} code of the worker
   * @param {{kind: string, about: object, weights: string}} network the first message to it
   * @param {(message: string) => void} onFault called if something could not be answered
   */
  constructor(code, network, onFault) {
    this.answers = new Map();
    this.tickets = 0;
    this.failed = false;
    const fail = (message) => {
      this.failed = true;
      for (const [, resolve] of this.answers) resolve(null);
      this.answers.clear();
      onFault(message);
    };
    try {
      this.worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    } catch (error) {
      this.failed = true;
      queueMicrotask(() => fail(String(error.message ?? error)));
      return;
    }
    this.worker.onerror = (event) => fail(event.message ?? "the worker stopped");
    this.worker.onmessage = ({ data }) => {
      if (data.kind === "fault" && data.ticket === null) return fail(data.message);
      if (data.kind === "fault") onFault(data.message);
      this.answers.get(data.ticket)?.(data.kind === "answer" && data.bits ? data : null);
      this.answers.delete(data.ticket);
    };
    this.worker.postMessage(network);
  }

  /** Show the worker the case whose questions follow. */
  setCase(number, views, embeddings) {
    if (!this.failed) this.worker.postMessage({ kind: "case", number, views, embeddings });
  }

  /** The worker's answer, or null if there is none. @returns {Promise<any>} */
  ask(question) {
    if (this.failed) return Promise.resolve(null);
    const ticket = ++this.tickets;
    return new Promise((resolve) => {
      this.answers.set(ticket, resolve);
      this.worker.postMessage({ kind: "ask", ticket, ...question });
    });
  }
}
