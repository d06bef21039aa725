/** Where the pages are, with a slash at the end: the server wrote it into <base>. */
export const pagesRoot = (): URL => new URL('.', document.baseURI);

/** Where the API is. */
export const apiRoot = (): URL => new URL('..', pagesRoot());

/** The server's address as its clients write it, without a slash at the end. */
export const serverUrl = (): string => apiRoot().href.replace(/\/$/, '');
