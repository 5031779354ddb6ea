import { Type } from 'typebox';

const form =
  "^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$";

/**
 * An e-mail address as HTML lets people type it, in ASCII: nothing in it can end a header or begin another one, quoted local
 * parts are none, and no letter looks like another's.
 *
 * @see https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address
 */
export const MailAddress = Type.String({
  pattern: form,
  maxLength: 254,
  description: 'An e-mail address such as `ada@example.com`.',
});

/** The same in the form of `normalAddress`, for what is compared as text. */
export const NormalMailAddress = Type.String({
  ...MailAddress,
  pattern: form.replaceAll('A-Za-z', 'a-z'),
});

/** The one form in which a person's address is kept and compared: lower case, local part too. */
export function normalAddress(address: string): string {
  return address.toLowerCase();
}
