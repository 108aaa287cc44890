// What livekit-client makes of a video that is published: the expected values of tests/core/test_publishing.py.
// Bundled by esbuild (`livekit-client-src` is its src folder) and run by Node; prints publish_layers.json.
import { computeVideoEncodings } from 'livekit-client-src/room/participant/publishUtils.ts';
import { videoLayersFromEncodings } from 'livekit-client-src/room/track/LocalVideoTrack.ts';
import { VideoPreset } from 'livekit-client-src/room/track/options.ts';

const AGENTS = {
  chrome: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'chrome 112': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0 Safari/537.36',
  firefox: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'safari 17.4': 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15',
  'safari 18.4': 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15',
};
const SIZES = [
  [0, 0], [160, 120], [320, 180], [479, 270], [480, 270], [480, 360], [640, 360], [640, 480], [720, 1280], [959, 540],
  [960, 540], [960, 720], [1000, 1000], [1280, 720], [1921, 1081], [1920, 1200], [2560, 1440], [3840, 2160], [7680, 4320],
];
const encoding = (maxBitrate, maxFramerate, priority) => ({ maxBitrate, maxFramerate, priority });
const preset = (...args) => new VideoPreset(...args);
// In the order of the fields: screen, options of livekit-client.
const OPTIONS = [
  [false, { simulcast: true }],
  [false, { simulcast: false }],
  [false, { simulcast: true, videoCodec: 'h264' }],
  [false, { simulcast: true, videoCodec: 'h265' }],
  [false, { simulcast: true, videoEncoding: encoding(1_234_567, 12, 'high') }],
  [false, { simulcast: true, videoEncoding: encoding(900_000) }],
  [false, { simulcast: false, videoEncoding: encoding(800_000, 24, 'low') }],
  [false, { simulcast: true, videoSimulcastLayers: [] }],
  [false, { simulcast: true, videoSimulcastLayers: [preset(320, 180, 100_000, 15)] }],
  [false, { simulcast: true, videoSimulcastLayers: [preset(640, 360, 500_000, 60), preset(240, 135, 90_000, 10, 'low')] }],
  [true, { simulcast: true }],
  [true, { simulcast: false }],
  [true, { simulcast: true, screenShareEncoding: encoding(2_500_000, 15, 'medium') }],
  [true, { simulcast: true, screenShareEncoding: encoding(400_000, 5) }],
  [true, { simulcast: false, screenShareEncoding: encoding(2_500_000, 15, 'medium') }],
  [true, { simulcast: true, screenShareSimulcastLayers: [preset(1280, 720, 700_000, 5, 'medium')] }],
];

const SVC_OPTIONS = [
  [false, { simulcast: true, videoCodec: 'vp9', scalabilityMode: 'L3T3_KEY' }],
  [false, { simulcast: false, videoCodec: 'vp9', scalabilityMode: 'L2T3h', videoEncoding: encoding(1_234_567, 24, 'high') }],
  [true, { simulcast: false, videoCodec: 'vp9', scalabilityMode: 'L1T3', screenShareEncoding: encoding(2_500_000, 15, 'medium') }],
];

const row = (browser, screen, options, [width, height]) => {
  const encodings = computeVideoEncodings(screen, width, height, options);
  const layers = videoLayersFromEncodings(width, height, encodings, 'scalabilityMode' in options);
  return JSON.stringify({
    browser, screen, options, width, height,
    encodings: encodings.map((e) => [e.rid, e.maxBitrate, e.maxFramerate, e.scaleResolutionDownBy, e.priority, e.scalabilityMode]),
    layers: layers.map((l) => [l.quality, l.width, l.height, l.bitrate]),
  });
};

const rows = [];
for (const [browser, userAgent] of Object.entries(AGENTS)) {
  Object.defineProperty(globalThis, 'navigator', { value: { userAgent, product: 'Gecko' }, configurable: true });
  const some = SIZES.filter(([width]) => width === 1280);
  const isEither = browser === 'chrome' || browser === 'firefox';
  for (const [screen, options] of isEither ? OPTIONS : [])
    for (const size of browser === 'chrome' ? SIZES : some) rows.push(row(browser, screen, options, size));
  // Firefox sends no layers in one stream.
  for (const [screen, options] of browser === 'firefox' ? [] : SVC_OPTIONS)
    for (const size of browser === 'chrome' ? SIZES.filter(([width]) => width > 0) : some) rows.push(row(browser, screen, options, size));
}
console.log(`[\n${rows.join(',\n')}\n]`);
