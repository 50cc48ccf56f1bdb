/** What moves a terminal or an editor that shows the text: C0 and C1 controls, line separators, bidirectional overrides. */
const unsafe = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g

/** Text of the guest's as one line of at most `maxCharacters`, for an error or a message that people read. */
export function cleanText(text: string, maxCharacters: number): string {
  return text.slice(0, maxCharacters).replace(unsafe, ' ')
}
