import { beforeEach, describe, expect, it } from 'vitest'
import { fake } from '../../native/ts/fake/sys.ts'
import { takeOomScore } from './oom-score.ts'

describe('takeOomScore', () => {
  const file = '/proc/77/oom_score_adj'

  beforeEach(() => {
    fake.reset()
    fake.put(file, '-998\n')
    fake.onCall('writeFile', (_dirfd: number, path: string, text: string) => { fake.put(path, text); return text.length })
  })

  it('gives the VMM the highest score of its containers', () => {
    for (const [score, expected] of [[-997, '-997'], [800, '800'], [500, '800'], [1000, '1000']] as const) {
      takeOomScore(77, score)
      expect(fake.text(file)?.trim()).toBe(expected)
    }
  })

  it('leaves it alone where nothing was asked for, and where there is no VMM', () => {
    takeOomScore(77, undefined)
    takeOomScore(0, 500)
    takeOomScore(78, 500)
    expect(fake.text(file)?.trim()).toBe('-998')
  })
})
