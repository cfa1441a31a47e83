import { describe, expect, it } from "vitest";

import { prefs, preferredLanguage } from "../src/app/prefs.svelte";
import { inLanguage } from "../src/app/site.svelte";
import { CATALOGUES, fill, t, word, type Key } from "../src/words/words.svelte";

/** Names of the values that a sentence takes. */
function values(template: string): string[] {
  return [...new Set([...template.matchAll(/\{(\w+)/g)].map((found) => found[1] ?? ""))].sort();
}

const SOURCES = import.meta.glob("../src/**/*.{ts,svelte}", {
  query: "?raw",
  import: "default",
  eager: true,
});

describe("the catalogues", () => {
  const { "zh-CN": zh, en } = CATALOGUES;

  it("have the same keys in every language", () => {
    expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
  });

  it("leave nothing empty", () => {
    for (const [key, text] of [...Object.entries(zh), ...Object.entries(en)]) expect(text, key).not.toBe("");
  });

  it("only use values in Chinese that the English sentence gets too", () => {
    for (const key of Object.keys(en) as Key[]) {
      const given = values(en[key]);
      for (const one of values(zh[key])) expect(given, key).toContain(one);
    }
  });

  it("are written with the punctuation of their language", () => {
    const HALF = /[\u3400-\u9fff}）%][,;:?!(]|[,;:?!)][\u3400-\u9fff{]|\.{3}/;
    for (const [key, text] of Object.entries(zh)) expect(text, key).not.toMatch(HALF);
    for (const [key, text] of Object.entries(en)) expect(text, key).not.toMatch(/[，。；：？！（）、]/);
  });

  it("leave no brace behind, whatever the number", () => {
    for (const n of [1, 2]) {
      for (const [key, text] of [...Object.entries(zh), ...Object.entries(en)]) {
        const given = Object.fromEntries(values(text).map((name) => [name, n]));
        expect(fill(text, given), key).not.toMatch(/[{}|]/);
      }
    }
  });

  it("hold nothing that no page says", () => {
    const code = Object.values(SOURCES).join("\n");
    const said = [...code.matchAll(/word\(\s*"([\w.]+)"/g)].map((found) => `${found[1]}.`);
    const groups = [...said, "finding.", "case.", "severity."];
    const unused = Object.keys(en).filter(
      (key) =>
        !code.includes(`"${key}"`) &&
        !code.includes(`'${key}'`) &&
        !groups.some((group) => key.startsWith(group)),
    );
    expect(unused).toEqual([]);
  });
});

describe("a sentence", () => {
  it("takes values and picks singular or plural by number", () => {
    expect(fill("{n} {n|alarm|alarms}", { n: 1 })).toBe("1 alarm");
    expect(fill("{n} {n|alarm|alarms}", { n: 3 })).toBe("3 alarms");
    expect(fill("{missing}", {})).toBe("{missing}");
  });

  it("follows the language chosen", () => {
    prefs.language = "en";
    expect(t("nav.alarms")).toBe("Alarms");
    prefs.language = "zh-CN";
    expect(t("nav.alarms")).toBe("告警");
  });

  it("shows a word that the catalogue does not know yet rather than nothing", () => {
    expect(word("case", "waiting_for_parts")).toBe("waiting for parts");
  });
});

describe("languages", () => {
  it("prefer the browser's first wish that we have, else Chinese", () => {
    expect(preferredLanguage(["fr", "en-GB", "zh"])).toBe("en");
    expect(preferredLanguage(["zh-Hant-TW"])).toBe("zh-CN");
    expect(preferredLanguage(["fr"])).toBe("zh-CN");
  });

  it("pick a name, and never leave it blank when there is one in another language", () => {
    expect(inLanguage({ zh: "惠园", en: "Huiyuan" }, "zh-CN")).toBe("惠园");
    expect(inLanguage({ zh: "惠园" }, "en")).toBe("惠园");
    expect(inLanguage({ fr: "Jardin" }, "en")).toBe("Jardin");
    expect(inLanguage(undefined, "en")).toBe("");
  });
});
