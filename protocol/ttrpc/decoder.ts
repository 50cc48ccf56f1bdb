import { dataBytesMax, type Frame, headerBytes } from './frame.ts'

/** Told of what the bytes turn out to be, in their order. */
export interface FrameSink {
  frame(frame: Frame): void
  /** A frame that is too long; its data is skipped. */
  oversize(streamId: number, lengthBytes: number): void
}

/** The decoder always waits for one thing. */
type State =
  /** The rest of a header; `have` bytes of it are kept. */
  | { waitsFor: 'header'; have: number }
  /** The rest of a frame's data: `kept` holds `have` bytes, and grows as they come. */
  | { waitsFor: 'data'; header: Header; kept: Uint8Array; have: number }
  /** The end of data that is too long. */
  | { waitsFor: 'end of skipped data'; leftBytes: number }

interface Header {
  lengthBytes: number
  streamId: number
  type: number
  flags: number
}

const growthBytesMin = 4096

/**
 * Cuts a byte stream into frames, however it is split. A frame that lies whole in one chunk is handed on as a view of it,
 * uncopied. Memory is bounded by twice what was received of one frame, whatever length its header claims.
 */
export class FrameDecoder {
  #state: State = { waitsFor: 'header', have: 0 }
  readonly #header = new Uint8Array(headerBytes)

  /** `maxBytes`: data longer than this is skipped, where the peer has less to say than ttrpc allows. */
  constructor(private readonly sink: FrameSink, private readonly maxBytes = dataBytesMax) {}

  /** Takes `bytes`, which must not be changed afterwards: frames share their memory. */
  push(bytes: Uint8Array): void {
    let offset = 0
    while (offset < bytes.length) {
      const state = this.#state
      switch (state.waitsFor) {
        case 'header':
          offset = this.#takeHeader(bytes, offset, state.have)
          break
        case 'data':
          offset = this.#takeData(bytes, offset, state)
          break
        case 'end of skipped data': {
          const skipped = Math.min(state.leftBytes, bytes.length - offset)
          offset += skipped
          this.#state = skipped === state.leftBytes ? { waitsFor: 'header', have: 0 } : { waitsFor: state.waitsFor, leftBytes: state.leftBytes - skipped }
        }
      }
    }
  }

  #takeHeader(bytes: Uint8Array, offset: number, have: number): number {
    const missing = headerBytes - have
    if (have === 0 && bytes.length - offset >= headerBytes) return this.#startFrame(parseHeader(bytes, offset), bytes, offset + headerBytes)
    const part = bytes.subarray(offset, offset + missing)
    this.#header.set(part, have)
    if (part.length === missing) return this.#startFrame(parseHeader(this.#header, 0), bytes, offset + missing)
    this.#state = { waitsFor: 'header', have: have + part.length }
    return bytes.length
  }

  #startFrame(header: Header, bytes: Uint8Array, offset: number): number {
    const end = offset + header.lengthBytes
    if (header.lengthBytes > this.maxBytes) {
      this.#state = { waitsFor: 'end of skipped data', leftBytes: header.lengthBytes }
      this.sink.oversize(header.streamId, header.lengthBytes)
      return offset
    }
    if (end <= bytes.length) {
      this.#finishFrame(header, bytes.subarray(offset, end))
      return end
    }
    const part = bytes.subarray(offset)
    const kept = new Uint8Array(Math.min(header.lengthBytes, Math.max(growthBytesMin, part.length)))
    kept.set(part)
    this.#state = { waitsFor: 'data', header, kept, have: part.length }
    return bytes.length
  }

  #takeData(bytes: Uint8Array, offset: number, state: State & { waitsFor: 'data' }): number {
    const { header } = state
    const part = bytes.subarray(offset, offset + header.lengthBytes - state.have)
    const have = state.have + part.length
    if (have > state.kept.length) {
      const grown = new Uint8Array(Math.min(header.lengthBytes, Math.max(have, state.kept.length * 2)))
      grown.set(state.kept.subarray(0, state.have))
      state.kept = grown
    }
    state.kept.set(part, state.have)
    state.have = have
    if (have === header.lengthBytes) this.#finishFrame(header, state.kept)
    return offset + part.length
  }

  #finishFrame({ streamId, type, flags }: Header, data: Uint8Array): void {
    this.#state = { waitsFor: 'header', have: 0 }
    this.sink.frame({ streamId, type, flags, data })
  }
}

function parseHeader(bytes: Uint8Array, offset: number): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, headerBytes)
  return { lengthBytes: view.getUint32(0), streamId: view.getUint32(4), type: view.getUint8(8), flags: view.getUint8(9) }
}
