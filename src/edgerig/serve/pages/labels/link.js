// The connection to the server. Operations wait here, and in the browser's storage, until the server has taken them; each
// has an id, so that it counts once however often it is sent.

const AGAIN = 1000, SLOWEST = 10_000, PREFIX = "edgerig labels";

export class Link {
  // hear(message) is called with what the server says, changed() when the state or the number of waiting ones changes.
  constructor({ name, hear, changed }) {
    Object.assign(this, { name, hear, changed, state: "connecting", outbox: [], wait: AGAIN, store: null, count: 0 });
  }

  open() {
    const address = new URL("labels/live", location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    this.socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", name: this.name }));
    socket.onmessage = (event) => this.take(JSON.parse(event.data));
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.set("offline");
      setTimeout(() => { if (this.socket === socket) this.open(); }, this.wait);
      this.wait = Math.min(1.5 * this.wait, SLOWEST);
    };
  }

  // Connects now, where it waits to do so: the network is back.
  retry() {
    if (this.state !== "offline" || this.socket?.readyState === WebSocket.CONNECTING) return;
    this.wait = AGAIN;
    this.open();
  }

  leave() {
    const { socket } = this;
    this.socket = null;
    socket?.close();
  }

  rename(name) {
    this.name = name;
    this.send({ type: "hello", name });
  }

  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  // ---- operations

  do(entry) {
    this.outbox.push(entry);
    this.keep(entry);
    if (this.state === "connected") this.send({ type: "do", ...entry });
    this.changed();
  }

  // Operations on a picture that the server has not taken yet.
  waiting(picture) { return this.outbox.filter((entry) => entry.picture === picture); }

  forget(id) {
    const before = this.outbox.length;
    this.outbox = this.outbox.filter((entry) => entry.id !== id);
    if (this.outbox.length === before) return;
    localStorage.removeItem(this.store + id);
    this.changed();
  }

  take(message) {
    if (message.type === "welcome") {
      this.wait = AGAIN;
      this.adopt(`${PREFIX} ${message.dataset} ${message.key} `);
      this.set("connected");
      this.hear(message);
      for (const entry of this.outbox) this.send({ type: "do", ...entry });
      return;
    }
    if (message.type === "operation") this.forget(message.record.id);
    if (message.type === "taken" || message.type === "refused") this.forget(message.id);
    this.hear(message);
  }

  set(state) {
    this.state = state;
    this.changed();
  }

  // ---- storage: what was painted without a connection outlasts a reload, each operation under a key of its own

  adopt(prefix) {
    if (this.store === prefix) return;
    // Of another journal: those are not this dataset's labels.
    if (this.store !== null) this.outbox = [];
    this.store = prefix;
    const known = new Set(this.outbox.map((entry) => entry.id));
    const stored = Object.keys(localStorage).filter((key) => key.startsWith(prefix));
    for (const entry of stored.map((key) => JSON.parse(localStorage.getItem(key))).sort((a, b) => a.at - b.at)) {
      if (!known.has(entry.message.id)) this.outbox.push(entry.message);
    }
  }

  keep(message) {
    this.count = Math.max(this.count + 1, Date.now() * 1000);
    try {
      localStorage.setItem(this.store + message.id, JSON.stringify({ at: this.count, message }));
    } catch {
      // The storage is full: it waits in this page alone.
    }
  }
}
