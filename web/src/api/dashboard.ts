/** The figures of a period beside those of the one before. */
import { data, throwing } from "./calls";
import * as sdk from "./generated";

export type Range = { first: string; last: string };
export const dashboard = (query: Partial<Range>) => data(sdk.dashboardReadDashboard({ ...throwing, query }));
export const exported = (table: "agents" | "numbers" | "days" | "hours", { first, last }: Range) =>
  `/api/dashboard/export?${new URLSearchParams({ table, first, last })}`;
