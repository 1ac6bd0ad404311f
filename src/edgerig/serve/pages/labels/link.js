// The connection to the server. Operations wait here, and in the browser's storage, until the server has taken them; each
// has an id, so that it counts once however often it is sent.

const AGAIN = 1000, SLOWEST = 10_000, PREFIX = "edgerig labels";

export class Link {
  // hear(message) is called with what the server says, changed() when the state or the number of waiting ones changes.
  constructor({ name, hear, changed }) {
    Object.assign(this, { name, hear, changed, state: "connecting", outbox: [], wait: AGAIN, store: null });
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
    this.keep();
    if (this.state === "connected") this.send({ type: "do", ...entry });
    this.changed();
  }

  // Operations on a picture that the server has not taken yet.
  waiting(picture) { return this.outbox.filter((entry) => entry.picture === picture); }

  forget(id) {
    const before = this.outbox.length;
    this.outbox = this.outbox.filter((entry) => entry.id !== id);
    if (this.outbox.length === before) return;
    this.keep();
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

  // ---- storage: what was painted without a connection outlasts a reload

  adopt(prefix) {
    if (this.store?.startsWith(prefix)) return;
    // Of another journal: those are not this dataset's labels.
    if (this.store !== null) this.outbox = [];
    this.store = prefix + (sessionStorage.getItem(PREFIX) ?? crypto.getRandomValues(new Uint32Array(2)).join("-"));
    sessionStorage.setItem(PREFIX, this.store.slice(prefix.length));
    const known = new Set(this.outbox.map((entry) => entry.id));
    for (const key of Object.keys(localStorage).filter((each) => each.startsWith(prefix)).sort()) {
      for (const entry of JSON.parse(localStorage.getItem(key))) if (!known.has(entry.id)) this.outbox.push(entry);
      if (key !== this.store) localStorage.removeItem(key);
    }
    this.keep();
  }

  keep() {
    if (this.store === null) return;
    try {
      if (this.outbox.length) localStorage.setItem(this.store, JSON.stringify(this.outbox));
      else localStorage.removeItem(this.store);
    } catch {
      // The storage is full: they wait in this page alone.
    }
  }
}
