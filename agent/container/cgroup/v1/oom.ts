import * as sys from 'native:sys'
import { EPOLLIN } from '../../../../native/ts/constants/epoll.ts'
import { O_NONBLOCK, O_RDONLY } from '../../../../native/ts/constants/fcntl.ts'
import { check } from '../../../../native/ts/errno.ts'
import { Fd, open } from '../../../../native/ts/fd.ts'
import { writeKernelFile } from '../../../../native/ts/file.ts'
import { readIfAny } from '../values.ts'

/** Calls `onOom` for each OOM event of a memory cgroup: an eventfd, registered in cgroup.event_control (memory.rst, 10). */
export function watchOomControl(directory: string, onOom: () => void): () => void {
  const events = new Fd(check('eventfd', directory, sys.eventfd(0, O_NONBLOCK)), `oom events of ${directory}`)
  const counter = new Uint8Array(8)
  try {
    using control = open(`${directory}/memory.oom_control`, O_RDONLY)
    writeKernelFile(`${directory}/cgroup.event_control`, `${events.number} ${control.number}`)
    check('epoll_ctl', events.what, sys.watch(events.number, EPOLLIN, () => {
      if (sys.read(events.number, counter, 0, 8) !== 8) return
      // The removal of the cgroup is told the same way.
      if (readIfAny(`${directory}/memory.oom_control`) === undefined) return
      for (let count = Number(new DataView(counter.buffer).getBigUint64(0, true)); count > 0; count--) onOom()
    }))
  } catch (error) {
    events.close()
    throw error
  }
  return () => {
    if (!events.open) return
    sys.unwatch(events.number)
    events.close()
  }
}
