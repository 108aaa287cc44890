import {Listeners} from "./session.js";

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

/** A track that is played through a gain, and tells whether it is heard. */
export class Output {
  static calls = ["setGain"];
  #context;
  #source;
  #gain;
  #timer;
  #listeners = new Listeners();

  constructor(session, track, gain, patience) {
    const {native} = session.get(track);
    this.#context = join(this);
    try {
      this.#source = this.#context.createMediaStreamSource(new MediaStream([native]));
      this.#gain = new GainNode(this.#context, {gain});
      this.#source.connect(this.#gain).connect(this.#context.destination);
    } catch (error) {
      this.dispose();
      throw error;
    }
    const tell = () => {
      clearTimeout(this.#timer);
      session.emit(this, "running", this.#context.state === "running");
    };
    this.#listeners.add(this.#context, tell, "statechange");
    this.#timer = setTimeout(tell, this.#context.state === "running" ? 0 : patience * 1000);
  }

  setGain(gain, time) {
    this.#gain.gain.setTargetAtTime(gain, 0, time);
  }

  dispose() {
    clearTimeout(this.#timer);
    this.#listeners.close();
    this.#source?.disconnect();
    this.#gain?.disconnect();
    leave(this);
  }
}

/**
 * Begin to play now, or at the user's next click if the browser wants one.
 *
 * @param arm takes what is to be done at the next click
 */
export async function resume(patience, arm) {
  if (!context) return;
  context.resume().catch(() => {});
  if (await runs(context, patience)) return;
  await new Promise((resolve, reject) => {
    arm(
      () => resolve(context?.resume()),
      () => reject(new DOMException("nobody waits for the sound any more", "AbortError")),
    );
  });
}

async function runs(context, patience) {
  const deadline = performance.now() + patience * 1000;
  while (context.state === "suspended" && performance.now() < deadline) await new Promise((done) => setTimeout(done, 50));
  return context.state !== "suspended";
}

export async function setSinkId(device) {
  const user = {};
  const used = join(user);
  try {
    if (!used.setSinkId) throw new DOMException("this browser cannot choose a loudspeaker for a mix", "NotSupportedError");
    await used.setSinkId(device);
  } finally {
    leave(user);
  }
}
