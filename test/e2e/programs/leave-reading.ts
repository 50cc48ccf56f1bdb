/**
 * `leave-reading DIRECTORY FILE`: leaves the file system at DIRECTORY while reads of FILE in it are on their way. Prints
 * `closing`, then `unmounting`, then `unmounted`.
 */
import * as sys from 'native:sys'
import { O_RDONLY } from '../../../native/ts/constants/fcntl.ts'
import { MNT_DETACH } from '../../../native/ts/constants/mount.ts'
import { check } from '../../../native/ts/errno.ts'
import { open } from '../../../native/ts/fd.ts'

/** mmap(2), munmap(2) and madvise(2) by number on x86_64. */
const SYS_mmap = 9
const SYS_munmap = 11
const SYS_madvise = 28
const PROT_READ = 1
const MAP_PRIVATE = 2
/** Returns when the reads are sent. */
const MADV_WILLNEED = 3
const readBytes = 128 * 1024
/** Fewer than the requests that a FUSE connection lets wait (FUSE_DEFAULT_MAX_BACKGROUND, fs/fuse/inode.c). */
const reads = 8

const say = (text: string): void => { const line = sys.utf8Encode(`${text}\n`); sys.write(1, line, 0, line.length) }

const [, directory = '', name = ''] = sys.argv()
// A mapping, as of a program that is killed while it starts: close(2) would ask the file server something, and wait for the answer.
const file = open(`${directory}/${name}`, O_RDONLY)
const mapping = check('mmap', name, sys.syscall(SYS_mmap, 0, reads * readBytes, PROT_READ, MAP_PRIVATE, file.number, 0))
file.close()
for (let at = 0; at < reads; at++) check('madvise', name, sys.syscall(SYS_madvise, mapping + at * readBytes, readBytes, MADV_WILLNEED))
say('closing')
check('munmap', name, sys.syscall(SYS_munmap, mapping, reads * readBytes))
say('unmounting')
check('umount2', directory, sys.umount2(directory, MNT_DETACH))
say('unmounted')
