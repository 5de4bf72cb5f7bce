/** Who is known: looking for them, making two one, blocking, and lists of them on their way in and out. */
import { data, throwing } from "./calls";
import type { Contact, ContactsListContactsData, ImportPlan, ImportReading } from "./generated";
import * as sdk from "./generated";

export type { Alike, Contact, ImportPlan, ImportReading } from "./generated";

export type ContactFilter = Omit<NonNullable<ContactsListContactsData["query"]>, "cursor" | "limit">;

const once = () => ({ "Idempotency-Key": crypto.randomUUID() });

export const contacts = (filter: ContactFilter, cursor?: string | null, limit = 100) =>
  data(sdk.contactsListContacts({ ...throwing, query: { ...filter, cursor, limit } }));
export const duplicates = (id: string) => data(sdk.contactsListDuplicates({ ...throwing, path: { id } }));
export const merge = (id: string, into: string, take: string[]): Promise<Contact> =>
  data(sdk.contactsMergeContact({ ...throwing, path: { id }, body: { into, take }, headers: once() }));
export const block = (id: string): Promise<Contact> => data(sdk.contactsBlockContact({ ...throwing, path: { id } }));
export const unblock = (id: string): Promise<Contact> =>
  data(sdk.contactsUnblockContact({ ...throwing, path: { id } }));
export const chatsOf = (contact_id: string) =>
  data(sdk.chatsListChats({ ...throwing, query: { contact_id, limit: 50 } }));
export const leadsOf = (contact_id: string) =>
  data(sdk.leadsListLeads({ ...throwing, query: { contact_id, limit: 20 } }));

export const bringList = (file: File, key: string): Promise<ImportPlan> =>
  data(sdk.contactsUploadImport({ ...throwing, body: { file }, headers: { "Idempotency-Key": key } }));
export const list = (id: string): Promise<ImportPlan> => data(sdk.contactsGetImport({ ...throwing, path: { id } }));
export const tryList = (id: string, body: ImportReading): Promise<ImportPlan> =>
  data(sdk.contactsCheckImport({ ...throwing, path: { id }, body }));
export const takeList = (id: string, body: ImportReading): Promise<ImportPlan> =>
  data(sdk.contactsStartImport({ ...throwing, path: { id }, body }));
export const stopList = (id: string): Promise<ImportPlan> =>
  data(sdk.contactsCancelImport({ ...throwing, path: { id } }));

/** Where the file is: a link that the browser saves, with the session's own cookie. */
export const exported = (format: "csv" | "xlsx", filter: ContactFilter) => {
  const query = new URLSearchParams({ format });
  for (const name of ["q", "state_id", "tag_id", "blocked"] as const) {
    const value = filter[name];
    if (value !== undefined && value !== null && value !== "") query.set(name, String(value));
  }
  return `/api/contacts/export?${query}`;
};
export const refusedRows = (id: string) => `/api/contacts/imports/${id}/errors`;
