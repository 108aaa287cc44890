// What a test in a worker has done to its page, for tests/inpage/contract_worker.py. The page's <html> names its host.
const channel = new BroadcastChannel(`lk-actions-${document.documentElement.dataset.host}`);
const nodes = [];

const ACTIONS = {
  leavePage: () => void dispatchEvent(new PageTransitionEvent("pagehide")), // but this page stays
  goOnline: (online) => void dispatchEvent(new Event(online ? "online" : "offline")),
  changeDevices: () => void navigator.mediaDevices.dispatchEvent(new Event("devicechange")),
  addNode(tag, id) {
    const node = Object.assign(document.createElement(tag), {id});
    document.body.append(node);
    nodes.push(node);
  },
  serve: (token) => void globalThis.lkAgent.serve(token),
  cleanUp() {
    for (const node of nodes.splice(0)) node.remove();
  },
};

channel.onmessage = ({data}) => {
  const {call, action, args} = JSON.parse(data);
  ACTIONS[action](...args);
  channel.postMessage(JSON.stringify({done: call}));
};
