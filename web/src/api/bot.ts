/** What the bot says, and a dry run of it. */
import { data, throwing } from "./calls";
import type { BotReply, Match, Menu, Rule, Settings, SettingsPut, Step } from "./generated";
import * as sdk from "./generated";

export type { BotReply, Match, Menu, Rule, Settings, Step };
export type Draft = Required<Omit<SettingsPut, "version">>;

export const bot = () => data(sdk.botReadBot(throwing));
export const setBot = (body: SettingsPut) => data(sdk.botSetBot({ ...throwing, body }));
export const simulate = (bot: Draft, steps: Step[]) =>
  data(sdk.botSimulate({ ...throwing, body: { bot, steps, name: "Ana" } }));
export const phrases = async () => (await data(sdk.botListPhrases({ ...throwing, query: { limit: 20 } }))).items;
