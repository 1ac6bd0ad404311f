// Messages of the server: JSON about a picture, then its JPEG.
const SPAN = 2000;

export class Pictures {
  constructor(image, shown) {
    this.image = image;
    this.shown = shown;
    this.about = null;
    this.error = "";
    this.times = [];
  }

  // Whether the server has answered completely: with a picture that is shown now, or with the reason why there is none.
  async take(data) {
    if (typeof data === "string") {
      this.about = JSON.parse(data);
      this.error = this.about.error || "";
      return this.about.picture === false;
    }
    const address = URL.createObjectURL(data);
    const before = this.image.src;
    this.image.src = address;
    this.image.hidden = false;
    try { await this.image.decode(); } catch { this.error = "A picture could not be shown."; }
    if (before) URL.revokeObjectURL(before);
    this.times.push(performance.now());
    this.shown(this.about);
    return true;
  }

  rate() {
    const now = performance.now();
    this.times = this.times.filter((time) => now - time < SPAN);
    return (this.times.length * 1000 / SPAN).toFixed(0);
  }
}
