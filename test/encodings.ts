/** A value as it is, in hexadecimal, and in base64 wherever it may begin in the encoded text. */
export function encodings(value: Buffer): Buffer[] {
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), value]).toString('base64');
    // The first and last groups depend on what stands around the value.
    return text.slice(shift === 0 ? 0 : 4, Math.floor((shift + value.length) / 3) * 4);
  });
  const texts = [
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    value.toString('hex'),
    value.toString('hex').toUpperCase(),
  ];
  return [value, ...new Set(texts)].map((text) => Buffer.from(text as string));
}
