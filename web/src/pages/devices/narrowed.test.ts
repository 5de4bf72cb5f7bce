import { describe, expect, it } from "vitest";
import type { DeviceState } from "@/api/types";
import { narrowed } from "./narrowed";

const one = (name: string, state: DeviceState, phone: string | null = null, labels: string[] = []) => ({
  name,
  state,
  phone,
  labels,
});
const all = [
  one("Ventas México", "connected", "5215512345678"),
  one("Soporte", "logged_out", "5491122223333", ["Atención"]),
  one("Bodega", "new"),
];
const names = (sought: string, stand?: "connected" | "attention" | "off") =>
  narrowed(all, sought, stand).map((device) => device.name);

describe("numbers", () => {
  it("are found by name, label and number, however they are written", () => {
    expect(names("mexico")).toEqual(["Ventas México"]);
    expect(names(" ATENCION ")).toEqual(["Soporte"]);
    expect(names("+52 1 (55) 1234")).toEqual(["Ventas México"]);
    expect(names("999")).toEqual([]);
    expect(names("")).toHaveLength(3);
  });
  it("are found by how they stand", () => {
    expect(names("", "connected")).toEqual(["Ventas México"]);
    expect(names("", "attention")).toEqual(["Soporte"]);
    expect(names("", "off")).toEqual(["Bodega"]);
    expect(names("ventas", "off")).toEqual([]);
  });
});
