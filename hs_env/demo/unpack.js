// Unpack what hs_env/demo/pack.py packed: base64 of gzip of the length of a JSON text, that text, and tensors.

async function unpack(text) {
  const packed = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = await new Response(stream).arrayBuffer();
  const length = new DataView(bytes).getUint32(0, true);
  const value = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
  return withTensors(value, bytes, 4 + length);
}

function withTensors(value, bytes, start) {
  if (Array.isArray(value)) return value.map((each) => withTensors(each, bytes, start));
  if (value === null || typeof value !== "object") return value;
  if ("dtype" in value) {
    const size = value.shape.reduce((product, each) => product * each, 1);
    const kind = value.dtype === "int8" ? Int8Array : Float32Array;
    return { shape: value.shape, values: new kind(bytes, start + value.start, size) };
  }
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withTensors(each, bytes, start)]));
}
