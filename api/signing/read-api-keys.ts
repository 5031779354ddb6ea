import { type ApiKeys, parseApiKeys } from './api-keys.ts';
import { loadOrCreateApiKeys } from './key-files.ts';

/** The API's keys, from the folder or the three variables that its configuration names. */
export async function readApiKeys(configuration: {
  EBB_KEYS_DIR?: string;
  EBB_TOKEN_KEY?: string;
  EBB_RECEIPT_KEY?: string;
  EBB_RETIRED_RECEIPT_KEYS?: string;
  EBB_HOOK_MASTER_KEY?: string;
}): Promise<ApiKeys> {
  if (configuration.EBB_KEYS_DIR) return await loadOrCreateApiKeys(configuration.EBB_KEYS_DIR);
  const { EBB_TOKEN_KEY = '', EBB_RECEIPT_KEY = '', EBB_HOOK_MASTER_KEY = '' } = configuration;
  return parseApiKeys({
    tokenKey: EBB_TOKEN_KEY,
    receiptKey: EBB_RECEIPT_KEY,
    otherReceiptKeys: configuration.EBB_RETIRED_RECEIPT_KEYS ?? '',
    hookMasterKey: EBB_HOOK_MASTER_KEY,
  });
}
