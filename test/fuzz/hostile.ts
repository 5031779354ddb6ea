import type { Choices } from './choices.ts';
import { RawJson } from './raw-json.ts';

const zalgo = `a${'\u0301\u0323\u0489'.repeat(40)}`;

/** Text that somebody somewhere takes for something else. */
const texts = [
  ...[
    '',
    ' ',
    '\t',
    '\n',
    '\r\n',
    'a\r\nSet-Cookie: a=b',
    'a\r\n\r\n<html>',
    '\u0000',
    'a\u0000b',
    '\u007f',
    '\u001b[2J',
  ],
  ...[
    '\u202eknab',
    '\u2066a\u2069',
    zalgo,
    'аcme',
    'ａｃｍｅ',
    'ﬁ',
    'İ',
    'ß',
    '\ufeffacme',
    'a\u200bb',
    '💥'.repeat(50),
  ],
  ...[
    '\ufffd',
    '\uffff',
    '\u{10ffff}',
    '\u2028\u2029',
    'e\u0301',
    'é',
    'NaN',
    'Infinity',
    '-0',
    '1e400',
    '0x10',
    '010',
  ],
  ...['null', 'undefined', 'true', '[object Object]', '[]', '{}', '-1', '9007199254740993', '1.5', '٣', '１'],
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '$where', '$ref', 'then'],
  ...[
    "' OR '1'='1",
    "'; DROP TABLE project; --",
    '1; SELECT pg_sleep(9)',
    "\\'; --",
    '" OR ""="',
    '%',
    '_',
    '\\',
  ],
  ...[
    '$(sleep 9)',
    '`id`',
    '; sleep 9',
    '| cat /etc/passwd',
    '&& false',
    '-rf',
    '--upload-pack=sleep',
    `${'$'}{jndi:ldap://x}`,
  ],
  ...[
    '<script>alert(1)</script>',
    '"><img src=x onerror=y>',
    '{{7*7}}',
    '<%= 7 %>',
    '<!ENTITY a SYSTEM "file:///etc/passwd">',
  ],
  ...[
    '../../../../etc/passwd',
    '..\\..\\windows',
    '/etc/passwd',
    'file:///etc/passwd',
    '....//',
    '%2e%2e%2f',
    '%00',
    '%ZZ',
    'a/./b',
  ],
  ...[
    '%s%s%s%n',
    '%x'.repeat(20),
    '{0}',
    '%(a)s',
    'http://169.254.169.254/latest/',
    'http://[::1]:22/',
    'javascript:alert(1)',
  ],
  ...[
    '0000-00-00T00:00:00Z',
    '9999-12-31T23:59:60Z',
    '2024-02-30T00:00:00Z',
    '+275760-09-13T00:00:00Z',
    '1970-01-01T00:00:00+99:99',
  ],
  ...[
    'a@b',
    '"a\nb"@example.com',
    `${'a'.repeat(300)}@example.com`,
    'a@example.com,b@example.com',
    'Ada <a@example.com>',
  ],
  ...[
    'x'.repeat(201),
    'x'.repeat(5_000),
    'é'.repeat(40_000),
    'a'.repeat(200_000),
    `${'a'.repeat(50_000)}!`,
    '/'.repeat(3_000),
    '('.repeat(2_000),
  ],
];

/** What JSON can say and no schema means. */
const written = [
  ...[
    'null',
    'true',
    'false',
    '0',
    '-0',
    '-0.0',
    '1',
    '-1',
    '1.5',
    '1e3',
    '1e21',
    '1e308',
    '1e999',
    '-1e999',
    '5e-324',
  ],
  ...[
    '2147483647',
    '2147483648',
    '-2147483649',
    '9007199254740991',
    '9007199254740993',
    '18446744073709551616',
    '1'.repeat(400),
  ],
  ...[
    '[]',
    '{}',
    '[[]]',
    '[null]',
    '[{}]',
    '{"":""}',
    '""',
    '"\\ud800"',
    '"\\udfff\\ud800"',
    '"a\\u0000b"',
    '{"\\u0000":1}',
    '{"\\ud800":1}',
  ],
  ...[
    '{"constructor":{"prototype":{"admin":true}}}',
    '{"toString":"x"}',
    '{"length":1e9}',
    '{"then":1}',
    '{"toJSON":1}',
    '{"$ref":"#"}',
  ],
  ...[
    '{"a":1,"a":2}',
    '["a","a","a"]',
    `[${'1,'.repeat(1_500)}1]`,
    `[${'"x",'.repeat(150)}"x"]`,
    `{${Array.from({ length: 1_200 }, (_, i) => `"k${i}":1`).join(',')}}`,
  ],
  ...[
    `${'['.repeat(31)}${']'.repeat(31)}`,
    `${'['.repeat(500)}${']'.repeat(500)}`,
    `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`,
  ],
  ...['"__proto__"', '{"__proto__":{"admin":true}}', '{"__proto__":null}'],
];

/** Whole bodies that are no JSON, or more of it than anybody wants. */
export const brokenBodies: readonly (string | Buffer)[] = [
  ...[
    '',
    ' ',
    '{',
    '[',
    '"',
    '{"name":',
    '{"name":"a"',
    '{"name":"a",}',
    "{'name':'a'}",
    '{name:1}',
    'NaN',
    'undefined',
    '-',
    '0x1',
    '// a\n{}',
  ],
  ...[
    '{}{}',
    '{} x',
    '\ufeff{}',
    'null',
    'true',
    '1',
    '""',
    '[]',
    '[{}]',
    '{"a":NaN}',
    '{"a":\u0001}',
    '{"a":"\n"}',
    '{"a":"\\x"}',
  ],
  ...[
    '{"__proto__":1}',
    '{"a":{"__proto__":{"b":1}}}',
    '{"constructor":{"prototype":{}}}',
    `${'['.repeat(100_000)}`,
    `${'{"a":'.repeat(50_000)}`,
  ],
  ...[
    '<?xml version="1.0"?><a/>',
    'name=shop&kind=local',
    '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--',
  ],
  Buffer.from([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]),
  Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d]),
  Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x7d]),
  Buffer.from('1f8b0800000000000003ab5602000000ffff0300434abf3d02000000', 'hex'),
  Buffer.alloc(1024 * 1024 + 1, 'a'),
];

export const hostileText = ({ oneOf }: Choices): string => oneOf(texts);

/** A hostile value of any type. */
export function hostileValue(choices: Choices): unknown {
  if (choices.chance(0.5)) return hostileText(choices);
  return new RawJson(choices.oneOf(written));
}

/** Whether it may stand in a header as Node sends it. */
export const isHeaderText = (text: string) => /^[\t\x20-\x7e\x80-\xff]*$/.test(text);

/** Hostile text as the bytes of a header, UTF-8 in Latin-1. */
export function hostileHeader(choices: Choices): string {
  const text = Buffer.from(hostileText(choices))
    .toString('latin1')
    .replace(/[^\t\x20-\x7e\x80-\xff]/g, '?');
  // More of it is refused before there is a request; client-errors.test.ts says how.
  return text.slice(0, 8_000);
}
