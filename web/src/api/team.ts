/** Who is in the account and what they may do: people, teams, invitations, keys, sessions, the record of what was done. */
import { data, throwing } from "./calls";
import type {
  AccountChange,
  KeyChange,
  NewInvitation,
  NewKey,
  NewTeam,
  NewUser,
  TeamChange,
  UserChange,
} from "./generated";
import * as sdk from "./generated";

const once = () => ({ "Idempotency-Key": crypto.randomUUID() });

type Part<T> = { items: T[]; next_cursor?: string | null };

/** Reads every page of a list that is short by nature, up to a thousand entries. */
async function whole<T>(page: (cursor?: string) => Promise<Part<T>>): Promise<T[]> {
  const found: T[] = [];
  let cursor: string | null | undefined;
  do {
    const next: Part<T> = await page(cursor ?? undefined);
    found.push(...next.items);
    cursor = next.next_cursor;
  } while (cursor && found.length < 1000);
  return found;
}

export const preview = (code: string) => data(sdk.authPreviewInvitation({ ...throwing, query: { code } }));
export const forgot = (email: string) => data(sdk.authForgot({ ...throwing, body: { email } }));
export const reset = (token: string, password: string) =>
  data(sdk.authReset({ ...throwing, body: { token, password } }));

export const account = () => data(sdk.accountReadAccount(throwing));
export const changeAccount = (body: AccountChange) => data(sdk.accountChangeAccount({ ...throwing, body }));
export const changePassword = (current: string, password: string) =>
  data(sdk.authChangePassword({ ...throwing, body: { current, password } }));
export const sessions = () => data(sdk.authListSessions(throwing));
export const closeSession = (id: string) => data(sdk.authCloseSession({ ...throwing, path: { id } }));

export const users = () => whole((cursor) => data(sdk.usersListUsers({ ...throwing, query: { cursor, limit: 100 } })));
export const createUser = (body: NewUser) => data(sdk.usersCreateUser({ ...throwing, body, headers: once() }));
export const changeUser = (id: string, body: UserChange) =>
  data(sdk.usersChangeUser({ ...throwing, path: { id }, body }));

export const teams = () => whole((cursor) => data(sdk.teamsListTeams({ ...throwing, query: { cursor, limit: 100 } })));
export const createTeam = (body: NewTeam) => data(sdk.teamsCreateTeam({ ...throwing, body, headers: once() }));
export const changeTeam = (id: string, body: TeamChange) =>
  data(sdk.teamsChangeTeam({ ...throwing, path: { id }, body }));
export const deleteTeam = (id: string) => data(sdk.teamsDeleteTeam({ ...throwing, path: { id } }));

export const invitations = () =>
  whole((cursor) => data(sdk.invitationsListInvitations({ ...throwing, query: { cursor, limit: 100 } })));
export const invite = (body: NewInvitation) => data(sdk.invitationsInvite({ ...throwing, body, headers: once() }));
export const revokeInvitation = (id: string) => data(sdk.invitationsRevokeInvitation({ ...throwing, path: { id } }));

export const keys = () => whole((cursor) => data(sdk.keysListKeys({ ...throwing, query: { cursor, limit: 100 } })));
export const createKey = (body: NewKey) => data(sdk.keysCreateKey({ ...throwing, body, headers: once() }));
export const changeKey = (id: string, body: KeyChange) => data(sdk.keysChangeKey({ ...throwing, path: { id }, body }));
export const rotateKey = (id: string, overlap_seconds: number) =>
  data(sdk.keysRotateKey({ ...throwing, path: { id }, body: { overlap_seconds }, headers: once() }));
export const revokeKey = (id: string) => data(sdk.keysRevokeKey({ ...throwing, path: { id } }));

export type ActivityFilter = { actor?: string; kind?: string; after?: string; before?: string };
export const activity = (filter: ActivityFilter, cursor?: string | null) =>
  data(sdk.activityListActivity({ ...throwing, query: { ...filter, cursor, limit: 50 } }));
