import { describe, expect, it } from 'vitest'
import { consoleStory, withoutNoise } from './console-story.ts'

describe('consoleStory', () => {
  it.each([
    ['[ 0.3] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0) | [ 0.4] Kernel Offset: disabled',
      'the guest kernel found no agent to run (VFS: Unable to mount root fs on unknown-block(0,0)): check guest.initrd'],
    ['[ 0.3] Kernel panic - not syncing: System is deadlocked on memory', 'the guest ran out of memory: raise hypervisor.memory_mib'],
    ['[ 1.0] Initramfs unpacking failed: write error', 'the guest ran out of memory: raise hypervisor.memory_mib'],
    ['Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000009', 'the guest kernel panicked: Attempted to kill init! exitcode=0x00000009'],
    ['[ 9.1] BUG: kernel NULL pointer dereference, address: 0000000000000008 | [ 9.1] Oops: 0000 [#1] | [ 9.2] RIP: 0010:virtqueue_add+0x12/0x90 | [ 9.3] Kernel panic - not syncing: Fatal exception',
      'the guest kernel panicked: Fatal exception (BUG: kernel NULL pointer dereference, address: 0000000000000008; RIP: 0010:virtqueue_add+0x12/0x90)'],
    ['[ 0.1] PCI: Fatal: No config space access function found', undefined],
    ['', undefined],
  ])('reads %j', (lines, story) => expect(consoleStory(lines)).toBe(story))
})

describe('withoutNoise', () => {
  it('keeps what a daemon said for a reason', () => {
    expect(withoutNoise('fv_remove_watch: TODO! fd=10 | Failed to open /x | fv_remove_watch: TODO! fd=14')).toBe('Failed to open /x')
    expect(withoutNoise('fv_remove_watch: TODO! fd=10')).toBe('')
  })
})
