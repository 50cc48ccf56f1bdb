/**
 * The verbs that bring a process of a container into being, which then reaches this program through /proc/<pid>/exe (a
 * script whose interpreter is /proc/self/exe is enough). With them it runs from a read-only mount of its own file, so
 * that the process cannot write to it (CVE-2019-5736; native/src/engine/own_program.rs). In a guest the file is not
 * worth this: nobody else runs it.
 */
export const readOnlyWords: readonly string[] = ['create', 'run', 'exec']
