import { useDeferredValue } from "react";

/** False until what is most urgent of the page is on the screen: what is heavy and looked at later is drawn after that. */
export const useLater = (): boolean => useDeferredValue(true, false);
