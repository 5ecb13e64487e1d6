// Makes what strangers named themselves visible: what has no shape of its own, turns the line round or breaks it is
// written as its number, as in `\u{200b}`. Pure; it changes what is shown, never what is searched or handed over.

const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}|^ | $/gu;
// Two accents on one character are writing; more would be drawn over the lines above and below.
const PILED = /(^|[\p{Mn}\p{Me}]{2})([\p{Mn}\p{Me}]+)/gu;

export function visible(text) {
  return text.replaceAll(UNSEEN, numbers).replaceAll(PILED, (_, kept, piled) => kept + numbers(piled));
}

const numbers = (text) => [...text].map((one) => `\\u{${one.codePointAt(0).toString(16)}}`).join("");
