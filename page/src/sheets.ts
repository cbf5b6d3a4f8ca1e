// Sprite sheets, decoded when the first of their tiles is drawn.

import type { Sheets } from "./payload";

const decoded = new WeakMap<Sheets, Map<number, Promise<ImageBitmap>>>();
const ready = new WeakMap<Sheets, Map<number, ImageBitmap>>();

function sheet(sheets: Sheets, number: number): Promise<ImageBitmap> {
  if (!decoded.has(sheets)) decoded.set(sheets, new Map());
  const started = decoded.get(sheets)!;
  let promise = started.get(number);
  if (!promise) {
    const image = new Image();
    image.src = sheets.sheets[number];
    promise = image.decode().then(() => createImageBitmap(image));
    promise.then((bitmap) => {
      if (!ready.has(sheets)) ready.set(sheets, new Map());
      ready.get(sheets)!.set(number, bitmap);
    });
    started.set(number, promise);
  }
  return promise;
}

/** Draw one tile on a canvas of its size; at once if its sheet is decoded. */
export function drawTile(canvas: HTMLCanvasElement, sheets: Sheets, tile: number): () => void {
  const each = sheets.per_row * sheets.rows;
  const number = Math.floor(tile / each);
  const within = tile % each;
  const column = within % sheets.per_row;
  const row = Math.floor(within / sheets.per_row);
  const { width, height } = sheets;
  const draw = (bitmap: ImageBitmap) => {
    const context = canvas.getContext("2d")!;
    context.clearRect(0, 0, width, height);
    context.drawImage(bitmap, column * width, row * height, width, height, 0, 0, width, height);
  };
  const bitmap = ready.get(sheets)?.get(number);
  if (bitmap) {
    draw(bitmap);
    return () => {};
  }
  let wanted = true;
  sheet(sheets, number).then((decodedSheet) => wanted && draw(decodedSheet));
  return () => (wanted = false);
}
