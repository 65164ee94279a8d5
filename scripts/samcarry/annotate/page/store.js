/**
 * Keeps the work in the browser (IndexedDB), so that it survives a crash or a reload.
 *
 * Each case is one record. It has a number that grows with each change, so that a second window with the same page
 * cannot overwrite newer work without a message.
 */

const DATABASE = "samcarry annotate";
const TABLE = "records";

/** Raised where another window has changed the same case. */
export class ChangedElsewhere extends Error {}

export class Store {
  /** @param {IDBDatabase} database @param {string} page */
  constructor(database, page) {
    this.database = database;
    this.page = page;
    /** @type {Map<string, number>} */
    this.versions = new Map();
    this.queue = Promise.resolve();
  }

  /** @param {string} page identifies this page and its cases @returns {Promise<Store>} */
  static open(page) {
    return new Promise((resolve, reject) => {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(TABLE);
      request.onsuccess = () => resolve(new Store(request.result, page));
      request.onerror = () => reject(request.error);
      request.onblocked = () => reject(new Error("blocked by another window"));
    });
  }

  /** All records of this page by their key. @returns {Promise<Map<string, any>>} */
  readAll() {
    return new Promise((resolve, reject) => {
      const found = new Map();
      const range = IDBKeyRange.bound([this.page], [this.page, []]);
      const request = this.database.transaction(TABLE).objectStore(TABLE).openCursor(range);
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const cursor = request.result;
        if (!cursor) return resolve(found);
        const key = cursor.key[1];
        this.versions.set(key, cursor.value.version);
        found.set(key, cursor.value.content);
        cursor.continue();
      };
    });
  }

  /** Write a record; writes happen in the order of the calls. @returns {Promise<void>} */
  write(key, content) {
    const write = () =>
      new Promise((resolve, reject) => {
        const transaction = this.database.transaction(TABLE, "readwrite", { durability: "strict" });
        const table = transaction.objectStore(TABLE);
        const known = this.versions.get(key) ?? 0;
        let fault = null;
        const request = table.get([this.page, key]);
        request.onsuccess = () => {
          try {
            if ((request.result?.version ?? 0) !== known) throw new ChangedElsewhere(key);
            table.put({ version: known + 1, content }, [this.page, key]);
          } catch (error) {
            fault = error;
            transaction.abort();
          }
        };
        transaction.oncomplete = () => {
          this.versions.set(key, known + 1);
          resolve();
        };
        transaction.onabort = () => reject(fault ?? transaction.error ?? new Error("not written"));
      });
    const result = this.queue.then(write);
    this.queue = result.catch(() => {});
    return result;
  }
}
