import { describe, expect, test } from 'vitest'
import { CreateMachineRequest } from '@shared/model'
import { foreignArchitecture, loadCatalog, osEntry, recogniseOs, sampleOsId } from '.'

const catalog = loadCatalog()

/** Identifiers of real discs. */
const realVolumeIds: Record<string, string[]> = {
  'windows-11': ['CCCOMA_X64FRE_EN-US_DV9', 'CCCOMA_X64FRE_EN-GB_DV9', 'CCCOMA_X64FRE_ZH-CN_DV9', 'CPBA_X64FRE_EN-US_DV9'],
  'windows-10': [
    'J_CCSA_X64FRE_EN-US_DV5',
    'CENA_X86FREV_FR-FR_DV5',
    'CESE_X64FREE_EN-US_DV5',
    'J_CES_X64FREV_EN-US_DV5',
    'CCCOMA_X86FRE_EN-US_DV9',
    'J_CESNN_X64FREV_EN-US_DV5',
  ],
  'windows-server': ['SSS_X64FREV_EN-US_DV9', 'SSS_X64FRE_EN-US_DV9', 'SHV_X64FRE_EN-US_DV9', 'SESS_X64FRE_EN-US_DV9'],
  'windows-server-2012': [
    'IRM_SSS_X64FRE_EN-US_DV5',
    'HRM_SSS_X64FREV_EN-US_DV5',
    'IR5_SFST_X64FREO_EN-US_DV9',
    'HRM_SHV_X64CHK_EN-US_DV5',
  ],
  'windows-8.1': ['IR1_CENA_X64FREV_EN-US_DV5', 'HRM_CCSA_X64FRE_EN-US_DV5', 'HB1_CCPA_X86FRE_EN-US_DV5', 'IRM_CPRNA_X86FREV_EN-US_DV5'],
  'windows-7': ['GSP1RMCULXFRER_EN_DVD', 'GRMCPRXFRER_EN_DVD', 'FRTMBXVOL_EN_DVD', 'KRMSXVOL_EN_DVD', 'GRMSXVOL_EN_DVD', 'SRVHPCR2_EN_VL'],
  'windows-xp': ['WXPFPP_EN', 'GRTMPVOL_EN', 'VX2PFPP_EN', 'XRMSD2_EN', 'WIN2000_EN', 'ARMSXFPP_EN', 'CR0SP2_EN', 'BX2EXFPP_EN'],
  'debian-13': ['Debian 13.0.0 amd64 n', 'Debian 13.1.0 amd64 1', 'd-live 13.0.0 gn amd64'],
  'debian-12': ['Debian 12.5.0 amd64 n', 'Debian 12.0.0 amd64 1', 'd-live 12.10.0 gn amd64'],
  'debian-testing': ['Debian testing amd64 n', 'd-live testing gn amd64'],
  debian: ['Debian 11.0.0 amd64 n', 'Debian squeeze 20140720-11:55', 'Debian 7.11.0 i386 1'],
  'ubuntu-26.04': ['Ubuntu 26.04 amd64', 'Ubuntu-Server 26.04 amd64', 'Edubuntu 26.04 amd64'],
  'ubuntu-24.04': [
    'Ubuntu 24.04 LTS amd64',
    'Ubuntu-Server 24.04.2 LTS amd64',
    'Kubuntu 24.04.1 LTS amd64',
    'Ubuntu-MATE 24.04 LTS amd64',
    'Xubuntu 24.04 LTS amd64',
  ],
  'ubuntu-22.04': ['Ubuntu 22.04 LTS amd64', 'Ubuntu-Server 22.04 LTS amd64', 'Ubuntu-Studio 22.04.3 LTS amd64'],
  ubuntu: ['Ubuntu 25.10 amd64', 'Ubuntu 20.04.2.0 LTS amd64', 'Ubuntu-Server 8.10 amd64'],
  'linux-mint': ['Linux Mint 21.3 Cinnamon 64-bit', 'LMDE 6 Faye Cinnamon 64-bit'],
  'pop-os': ['Pop_OS 20.10 amd64 Nvidia'],
  elementary: ['elementary OS 5.0 Juno'],
  kali: ['Kali Linux 2024.1 amd64 1', 'Kali Live'],
  fedora: [
    'Fedora-WS-Live-40-1-14',
    'Fedora-S-dvd-x86_64-42',
    'Fedora-E-dvd-x86_64-rawh',
    'Fedora-SB-ostree-x86_64-41',
    'Fedora 20 x86_64',
  ],
  rhel: ['RHEL-9-3-0-BaseOS-x86_64', 'RHEL-10-1-BaseOS-x86_64', 'RHEL_6.5 x86_64 Disc 1', 'RHEL/5.11 x86_64 DVD'],
  rocky: ['Rocky-9-0-x86_64-dvd', 'Rocky-Workstation-9-0', 'Rocky-10-0-KDE'],
  almalinux: ['AlmaLinux-9-1-x86_64-dvd', 'AlmaLinux-9_5-x86_64-Live-GNOME', 'AlmaLinux-Kitten-10-x86_64'],
  centos: ['CentOS-Stream-9-BaseOS-x86_64', 'CentOS 7 x86_64', 'CentOS_6.10_Final'],
  'oracle-linux': ['OL6.9 x86_64 Disc 1 20170324', 'OL-9-2-0-BaseOS-x86_64'],
  opensuse: [
    'openSUSE-Leap-15.5-DVD-x86_64491',
    'openSUSE-Tumbleweed-DVD-x86_64',
    'openSUSE_Leap_15.6_KDE_Live',
    'Install-Leap-16.0-x86_64',
  ],
  sles: ['SLE-15-SP5-Full-x86_64412.1.001', 'SLES-11-SP4-DVD-x86_6412211', 'Install-SUSE-SLE-16-x86_64'],
  arch: ['ARCH_202402'],
  manjaro: ['MANJARO_KDE_2003'],
  alpine: ['alpine-std 3.22.0 x86_64', 'alpine-virt 3.19.0 x86_64', 'alpine-ext 3.18.0 x86'],
  nixos: ['nixos-minimal-23.11-x86_64', 'nixos-graphical-25.05-x86_64'],
  gentoo: ['Gentoo-amd64-20250209', 'gentoo-amd64-livegui'],
  void: ['VOID_LIVE'],
  slackware: ['SlackDVD', 'S14.2d1'],
  mageia: ['Mageia-9-Live-Plasma-x86_64'],
  guix: ['GUIX_IMAGE'],
  'android-x86': ['Android-x86 LiveCD'],
  'linux-legacy': ['FC/3 i386', 'RED_HAT'],
  linux: ['SolusLiveGNOME', 'PureOS 10.3 gnome (live)', 'ALT p10 cinnamon/x86_64'],
  freebsd: ['14_3_RELEASE_AMD64_DVD', '15_0_RELEASE_AMD64_CD', '11_0_RELEASE_P1_AMD64_CD'],
  openbsd: ['OpenBSD/amd64   7.8 Install CD'],
  netbsd: ['NETBSD_100'],
  dragonfly: ['DragonFly v5.4.0', 'DragonFly_v5.6.1'],
  haiku: ['haiku-r1~beta4-x86_64', 'haiku-nightly-x86_64'],
  freedos: ['FD13-LiveCD', 'FDI-CD', 'FD-SETUP'],
  memtest86plus: ['MT86PLUS_64'],
}

test.each(Object.entries(realVolumeIds).flatMap(([osId, ids]) => ids.map((id) => [id, osId] as const)))(
  'the disc “%s” is recognised as %s',
  (volumeId, osId) => {
    expect(recogniseOs(catalog, volumeId)).toBe(osId)
  },
)

test.each(['', 'CDROM', 'ISOIMAGE', 'cidata', 'My photos 2014', null])('nothing is made of a disc named %j', (volumeId) => {
  expect(recogniseOs(catalog, volumeId)).toBeNull()
})

test.each([
  ['Debian 12.0.0 arm64 n', 'arm64'],
  ['CCCOMA_A64FRE_EN-GB_DV9', 'arm64'],
  ['Fedora-S-dvd-aarch64-42', 'aarch64'],
  ['15_0_RELEASE_POWERPC64LE_CD', 'POWERPC64LE'],
  ['Ubuntu-Server 24.04.2 LTS riscv', 'riscv'],
  ['Debian 13.0.0 p64el 1', 'p64el'],
])('the disc “%s” is for %s processors and no x86 system', (volumeId, architecture) => {
  expect(foreignArchitecture(volumeId)).toBe(architecture)
  expect(recogniseOs(catalog, volumeId)).toBeNull()
})

test('an identifier made to keep the matcher busy is dealt with at once', () => {
  const start = performance.now()
  recogniseOs(catalog, 'buntu buntu buntu buntu buntu bunt'.repeat(1000))
  expect(performance.now() - start).toBeLessThan(1000)
})

describe('the catalogue', () => {
  test('has entries for what people install, each once', () => {
    const ids = catalog.entries.map((entry) => entry.id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(new Set(catalog.entries.map((entry) => entry.name)).size).toBe(ids.length)
    expect(ids).toEqual(
      expect.arrayContaining([...Object.keys(realVolumeIds), 'pfsense', 'opnsense', 'reactos', 'other', 'linux', sampleOsId]),
    )
  })

  test.each(catalog.entries.map((entry) => [entry.id, entry] as const))(
    'gives %s defaults that make a valid machine and are no less than its minimum',
    (_id, entry) => {
      const { defaults, minimum } = entry
      expect(defaults.processors).toBeGreaterThanOrEqual(minimum.processors)
      expect(defaults.memoryMiB).toBeGreaterThanOrEqual(minimum.memoryMiB)
      expect(defaults.diskGiB).toBeGreaterThanOrEqual(minimum.diskGiB)
      if (entry.requiresUefi === true) expect(defaults.firmware).toBe('uefi')
      if (entry.family === 'windows') expect(defaults.clock).toBe('localtime')
      expect(
        CreateMachineRequest.safeParse({
          name: 'x',
          osId: entry.id,
          source: { type: 'blank' },
          processors: defaults.processors,
          memoryMiB: defaults.memoryMiB,
          newDiskGiB: defaults.diskGiB,
          network: 'user',
        }).success,
      ).toBe(true)
    },
  )

  test('says so when it does not know a system', () => {
    expect(osEntry(catalog, 'debian-13').family).toBe('linux')
    expect(() => osEntry(catalog, 'plan9')).toThrow('There is no operating system “plan9” in the catalogue.')
  })
})
