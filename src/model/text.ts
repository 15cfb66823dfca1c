/** Languages that every text of the kit is written in. */
export type Lang = 'en' | 'zh';

/** A text in both languages. A text without its twin does not compile. */
export interface Text {
  readonly en: string;
  readonly zh: string;
}

/** Makes a text from its two versions. */
export const text = (en: string, zh: string): Text => ({ en, zh });

/** The same string in both languages: names, commands, numbers. */
export const same = (value: string): Text => ({ en: value, zh: value });

/** Reads a text in one language. */
export const say = (value: Text, lang: Lang): string => value[lang];
