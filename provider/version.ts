/** Version of the provider, as its file name and mirror folder carry it. */
export const providerVersion = '0.1.0';
