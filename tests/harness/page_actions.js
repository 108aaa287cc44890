// What tests in Python have done on a page: called there as `lkActions`, and from a worker through a BroadcastChannel,
// whose name ends with the host that the page's <html> names (tests/inpage/page_actions.py).
const nodes = [];

/** Mean deviation of brightness in the picture a video shows: 0 means a plain surface, such as black. */
function contrast(video) {
  if (!video.videoWidth) return 0;
  const context = new OffscreenCanvas(32, 18).getContext("2d", {willReadFrequently: true});
  context.drawImage(video, 0, 0, 32, 18);
  const {data} = context.getImageData(0, 0, 32, 18);
  const light = [];
  for (let at = 0; at < data.length; at += 4) light.push((data[at] + data[at + 1] + data[at + 2]) / 3);
  const mean = light.reduce((sum, value) => sum + value, 0) / light.length;
  return light.reduce((sum, value) => sum + Math.abs(value - mean), 0) / light.length;
}

/** Put another property over one of the document's, until all is cleaned up. */
function pretend(name, value) {
  Object.defineProperty(document, name, {value, configurable: true});
}

const ACTIONS = {
  contrast,
  leavePage: () => void dispatchEvent(new PageTransitionEvent("pagehide")), // but this page stays
  goOnline: (online) => void dispatchEvent(new Event(online ? "online" : "offline")),
  changeDevices: () => void navigator.mediaDevices.dispatchEvent(new Event("devicechange")),
  serve: (token) => void globalThis.lkAgent.serve(token),
  /** The picture of a track, by the browser's id of it, in whatever element shows it. */
  look(track) {
    const shows = (video) => video.srcObject?.getVideoTracks().some(({id}) => id === track);
    const video = [...document.querySelectorAll("video")].find(shows);
    if (!video) return null;
    return {width: video.videoWidth, height: video.videoHeight, contrast: contrast(video)};
  },
  addNode(tag, id) {
    const node = Object.assign(document.createElement(tag), {id});
    document.body.append(node);
    nodes.push(node);
  },
  showNode(id, width, height, where) {
    const css = {
      "in sight": "position:fixed;top:0;left:0",
      away: "position:absolute;top:20000px;left:0",
      nowhere: "display:none",
    };
    document.getElementById(id).style.cssText = `${css[where]};width:${width}px;height:${height}px`;
  },
  /** What the browser tells of picture-in-picture, which only a click can begin. */
  pinNode(id, pinned) {
    const node = document.getElementById(id);
    pretend("pictureInPictureElement", pinned ? node : null);
    node.dispatchEvent(new Event(pinned ? "enterpictureinpicture" : "leavepictureinpicture"));
  },
  /** What it tells of a page in the background; but this one stays. */
  hidePage(hidden) {
    pretend("visibilityState", hidden ? "hidden" : "visible");
    document.dispatchEvent(new Event("visibilitychange"));
  },
  cleanUp() {
    delete document.pictureInPictureElement;
    delete document.visibilityState;
    for (const node of nodes.splice(0)) node.remove();
  },
};
globalThis.lkActions = ACTIONS;

const {host} = document.documentElement.dataset;
if (host) {
  const channel = new BroadcastChannel(`lk-actions-${host}`);
  channel.onmessage = ({data}) => {
    const {call, action, args} = JSON.parse(data);
    if (action) channel.postMessage(JSON.stringify({done: call, value: ACTIONS[action](...args)}));
  };
}
