/** Extensions of msgpack by which Terraform tells what it does not know yet. */
export const unknownExtension = 0;
export const refinedUnknownExtension = 12;
