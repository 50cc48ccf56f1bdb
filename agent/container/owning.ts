import { Fault, story } from '../../native/ts/fault.ts'
import { Owner } from '../../native/ts/owner.ts'

/**
 * Runs `work` with an owner for what it acquires. When it throws, everything owed is released, last in first
 * out; when it succeeds, what it did not move on is simply no longer owed.
 */
export async function owning<T>(work: (owner: Owner) => Promise<T>): Promise<T> {
  const owner = new Owner()
  try {
    return await work(owner)
  } catch (error) {
    try {
      await owner.release()
    } catch (left) {
      throw new Fault(`${story(error)} (and cleaning up failed: ${story(left)})`, { cause: error })
    }
    throw error
  }
}
