/** What the last lines of a guest's console mean, in words for its user; undefined when they say nothing we know. */
export function consoleStory(lines: string): string | undefined {
  const panic = /Kernel panic - not syncing: ([^|\n]{1,200})/.exec(lines)?.[1]?.trim()
  if (/Out of memory|deadlocked on memory|Initramfs unpacking failed|out of memory/.test(lines)) {
    return 'the guest ran out of memory: raise hypervisor.memory_mib'
  }
  if (panic === undefined) return undefined
  if (/Unable to mount root fs|No working init/.test(panic)) return `the guest kernel found no agent to run (${panic}): check guest.initrd`
  return `the guest kernel panicked: ${panic}${oops(lines)}`
}

/** What the kernel said before it dumped its registers (arch/x86/mm/fault.c, kernel/panic.c), and where it was. */
function oops(lines: string): string {
  const words = [/(?:BUG|Oops|general protection fault|kernel BUG at|invalid opcode|divide error)[^|\n]{1,160}/, /RIP: 0010:[^ |\n]{1,80}/]
    .map(pattern => pattern.exec(lines)?.[0]?.trim()).filter(found => found !== undefined)
  return words.length === 0 ? '' : ` (${words.join('; ')})`
}

/** Lines that C virtiofsd prints at every end of a VM, of no interest to anybody. */
const noise = /^fv_remove_watch: TODO/

/** `words` (lines joined by ` | `) without what a daemon prints in any case. */
export function withoutNoise(words: string): string {
  return words.split(' | ').filter(line => !noise.test(line)).join(' | ')
}
