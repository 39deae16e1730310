// Arrays as the page's data hold them: {"array": "float32", "shape": [2, 3], "data": "<base64>"}.

const KINDS = { float32: Float32Array, float64: Float64Array, int32: Int32Array, uint8: Uint8Array };

/** The page's data with its arrays decoded: typed arrays with a `shape`. */
export function withArrays(data) {
  if (Array.isArray(data)) return data.map(withArrays);
  if (data === null || typeof data !== "object") return data;
  if (data.array) return decoded(data);
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, withArrays(value)]));
}

function decoded({ array, shape, data }) {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  const values = new KINDS[array](bytes.buffer);
  values.shape = shape;
  return values;
}

/** Row `index` along the first axis, without copying. */
export function row(values, index) {
  const [, ...shape] = values.shape;
  const size = shape.reduce((product, length) => product * length, 1);
  const part = values.subarray(index * size, (index + 1) * size);
  part.shape = shape;
  return part;
}

/** Data compressed by gzip, in base64, as JSON with arrays. */
export async function unpacked(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return withArrays(await new Response(stream).json());
}
