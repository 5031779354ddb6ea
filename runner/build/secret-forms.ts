// A shorter value would turn ordinary output into stars and protect nothing.
const shortestMasked = 3;
// What is left of a short value in base64 is a few letters that any word may hold.
const shortestEncoded = 6;
const shortestLine = 8;

/**
 * The forms in which a secret gets into a log by accident: as it is, line by line, and as tools write it again: base64
 * (wherever the value begins in what is encoded, with line breaks too), hexadecimal, and escaped for URLs, JSON, HTML
 * and the shell (as `set -x`, `export -p` and `printf %q` show it). Whatever a command makes of a value on purpose,
 * such as reversing it, spacing it out or encrypting it, is in none of them.
 */
export function secretForms(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const escaped = [secret, secret.trim(), ...lines(secret), ...urlForms(secret), ...jsonForms(secret)];
  const encoded = [...base64Forms(bytes), bytes.toString('hex'), bytes.toString('hex').toUpperCase()];
  return [
    ...new Set([
      ...[...escaped, ...shellForms(secret), htmlForm(secret)].filter(
        (form) => form.length >= shortestMasked,
      ),
      ...encoded.filter((form) => form.length >= shortestEncoded),
    ]),
  ];
}

function lines(secret: string): string[] {
  if (!secret.includes('\n')) return [];
  return secret.split(/\r?\n/).filter((line) => line.trim().length >= shortestLine);
}

function base64Forms(bytes: Buffer): string[] {
  const whole = bytes.toString('base64');
  const inside = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    // Only letters of six bits of the value: its neighbours decide on the rest (RFC 4648, section 4).
    return text.slice(shift === 0 ? 0 : shift + 1, Math.floor(((shift + bytes.length) * 8) / 6));
  });
  const forms = [whole, ...inside];
  return [
    ...forms,
    ...forms.map((form) =>
      form
        .replaceAll('+', '-')
        .replaceAll('/', '_')
        .replace(/={1,2}$/, ''),
    ),
    // coreutils breaks lines at 76, OpenSSL and PEM at 64.
    ...[64, 76].flatMap((width) =>
      whole.length > width ? (whole.match(RegExp(`.{1,${width}}`, 'g')) ?? []) : [],
    ),
  ];
}

function urlForms(secret: string): string[] {
  // A lone surrogate has no encoding.
  const form = secret.isWellFormed() ? encodeURIComponent(secret) : secret;
  const strict = form.replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
  const all = [form, strict, strict.replaceAll('%20', '+')];
  return [...all, ...all.map((each) => each.replace(/%../g, (code) => code.toLowerCase()))];
}

function jsonForms(secret: string): string[] {
  const form = JSON.stringify(secret).slice(1, -1);
  const ascii = form.replace(
    /[^\x20-\x7e]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return [form, ascii, form.replaceAll('/', '\\/')];
}

function shellForms(secret: string): string[] {
  return [
    secret.replaceAll("'", "'\\''"),
    secret.replaceAll("'", `'"'"'`),
    secret.replace(/[\\"$`]/g, '\\$&'),
    secret.replace(/[^\w@%+=:,./\n-]/g, '\\$&'),
    // $'…', which bash uses as soon as there is a line break.
    secret.replace(/[\\']/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\t', '\\t').replaceAll('\r', '\\r'),
  ];
}

function htmlForm(secret: string): string {
  const names: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return secret.replace(/[&<>"']/g, (letter) => names[letter] ?? letter);
}
