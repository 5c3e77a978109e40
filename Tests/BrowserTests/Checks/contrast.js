/**
 * Text whose contrast with what lies behind it is less than WCAG 2.2 asks for (1.4.3, level AA).
 * @returns {string[]}
 */
const parse = (text) => {
  const context = parse.context ??= new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = text;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
  return { rgb: [red, green, blue], alpha: alpha / 255 };
};
const over = (top, alpha, below) => top.map((value, index) => value * alpha + below[index] * (1 - alpha));
const luminance = (rgb) => {
  const [red, green, blue] = rgb.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const backdrop = (node) => {
  const layers = [];
  for (let place = node; place; place = place.parentElement) {
    const { rgb, alpha } = parse(getComputedStyle(place).backgroundColor);
    if (alpha > 0) layers.push([rgb, alpha]);
    if (alpha === 1) break;
  }
  return layers.reverse().reduce((below, [rgb, alpha]) => over(rgb, alpha, below), [255, 255, 255]);
};
const failures = new Set();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  if (walker.currentNode.data.trim() === "" || !node.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
  if (node.closest(".unseen, option, noscript, .terminal-ruler")) continue;
  const style = getComputedStyle(node);
  const below = backdrop(node);
  const { rgb, alpha } = parse(style.color);
  const [light, dark] = [luminance(over(rgb, alpha, below)), luminance(below)].sort((left, right) => right - left);
  const ratio = (light + 0.05) / (dark + 0.05);
  const size = parseFloat(style.fontSize);
  const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (isLarge ? 3 : 4.5)) {
    failures.add(`"${walker.currentNode.data.trim().slice(0, 40)}" (${node.localName}.${node.className}) has ${ratio.toFixed(2)}`);
  }
}
return [...failures];
