/**
 * The globals that QuickJS lacks and that we, or libraries in our bundles, use. Evaluated before every
 * bundle, so it stays small: each line costs 40 times its host time in a guest under TCG.
 */
import * as sys from 'native:sys'

class Utf8Encoder {
  readonly encoding = 'utf-8'
  encode(text = ''): Uint8Array {
    return sys.utf8Encode(text)
  }
}

class Utf8Decoder {
  readonly encoding = 'utf-8'
  decode(bytes: Uint8Array | ArrayBuffer = new Uint8Array(0)): string {
    const view = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)
    return sys.utf8Decode(view, 0, view.length)
  }
}

const globals = globalThis as Record<string, unknown> // assigning globals is this file's purpose
globals.TextEncoder ??= Utf8Encoder
globals.TextDecoder ??= Utf8Decoder
globals.setTimeout ??= (callback: () => void, delayMs = 0) => sys.setTimer(delayMs, callback)
globals.clearTimeout ??= (id: number | undefined) => { if (id !== undefined) sys.clearTimer(id) }
globals.queueMicrotask ??= (job: () => void) => { void Promise.resolve().then(job) }

// `using` is lowered by esbuild to these symbols; the engine has them natively or gets them here.
for (const name of ['dispose', 'asyncDispose']) {
  if (!(name in Symbol)) Object.defineProperty(Symbol, name, { value: Symbol(`Symbol.${name}`) })
}
