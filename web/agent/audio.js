const users = new Set();
let context = null;

/** The page's one AudioContext, for somebody who uses it until he leaves. */
function join(user) {
  if (!globalThis.AudioContext) throw new DOMException("this browser has no Web Audio", "NotSupportedError");
  context ??= new AudioContext({latencyHint: "interactive"});
  users.add(user);
  if (context.state === "suspended") context.resume().catch(() => {}); // when the browser lets it: it may take a click
  return context;
}

function leave(user) {
  users.delete(user);
  if (users.size || !context) return;
  context.close().catch(() => {});
  context = null;
}

/** Have a stream flow: Chromium gives nothing of a received track to Web Audio that no element plays. */
function pump(stream) {
  const element = new Audio();
  element.muted = true;
  element.srcObject = stream;
  return element;
}

function rms(values) {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}

/** An AnalyserNode that hears one track, and tells how loud it is. */
export class Analyser {
  static calls = ["read"];
  #session;
  #context;
  #native;
  #source;
  #pump;
  #clone = null;
  #timer;
  #told = "";

  constructor(session, track, init, period) {
    this.#session = session;
    const {native} = session.get(track);
    try {
      this.#start(native, init);
    } catch (error) {
      this.dispose();
      throw error;
    }
    this.#timer = setInterval(() => this.#tell(), period * 1000);
  }

  #start(track, {fft_size, smoothing_time_constant, min_decibels, max_decibels, clone}) {
    this.#context = join(this);
    if (clone) {
      this.#clone = track = track.clone();
      track.enabled = true;
    }
    const stream = new MediaStream([track]);
    this.#pump = pump(stream);
    this.#source = this.#context.createMediaStreamSource(stream);
    this.#native = new AnalyserNode(this.#context, {
      fftSize: fft_size,
      smoothingTimeConstant: smoothing_time_constant,
      minDecibels: min_decibels,
      maxDecibels: max_decibels,
    });
    this.#source.connect(this.#native);
  }

  read() {
    return [this.#context.state === "running", this.#level(), this.#frequencies().buffer];
  }

  #level() {
    const samples = new Float32Array(this.#native.fftSize);
    this.#native.getFloatTimeDomainData(samples);
    return rms(samples);
  }

  #frequencies() {
    const frequencies = new Uint8Array(this.#native.frequencyBinCount);
    this.#native.getByteFrequencyData(frequencies);
    return frequencies;
  }

  #tell() {
    const levels = [this.#level(), rms(this.#frequencies()) / 255];
    if (this.#told === String(levels)) return;
    this.#told = String(levels);
    this.#session.emit(this, "levels", ...levels);
  }

  dispose() {
    clearInterval(this.#timer);
    this.#clone?.stop();
    this.#source?.disconnect();
    if (this.#pump) this.#pump.srcObject = null;
    leave(this);
  }
}
