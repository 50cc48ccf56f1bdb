import { StreamingDefinition } from '../../protocol/gen/streaming.ts'
import type { Server } from '../../protocol/ttrpc/server.ts'
import type { StreamBroker } from './broker.ts'
import { Link } from './link.ts'

/** The streaming service of containerd 2.x (`io_type = "streaming"`): stdio over the shim's socket in place of FIFOs. */
export function registerStreamingService(server: Server, broker: StreamBroker): void {
  server.register(StreamingDefinition, {
    stream: requests => Link.open(requests, (id, link) => broker.attach(id, link)),
  })
}
