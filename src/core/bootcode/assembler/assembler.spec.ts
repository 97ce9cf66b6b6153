import { expect, test } from 'vitest'
import { Assembler, at, byteAt, dwordAt, qwordAt, ref, scaled, wordAt } from './index'

type Write = (assembler: Assembler) => unknown

function bytes(bits: 16 | 32 | 64, write: Write): string {
  const assembler = new Assembler().bits(bits)
  write(assembler)
  return Buffer.from(assembler.assemble()).toString('hex')
}

// The expected bytes follow the opcode tables of the Intel SDM, volume 2. GNU as gives the same, but for the shorter
// forms of al and ax and the order of two prefixes.
const cases16: [text: string, write: Write, expected: string][] = [
  ['mov ax, 0x1234', (a) => a.mov('ax', 0x1234), 'b83412'],
  ['mov bl, 7', (a) => a.mov('bl', 7), 'b307'],
  ['mov eax, 1', (a) => a.mov('eax', 1), '66b801000000'],
  ['mov ds, ax', (a) => a.mov('ds', 'ax'), '8ed8'],
  ['mov ax, es', (a) => a.mov('ax', 'es'), '8cc0'],
  ['mov al, es:[bx+si+4]', (a) => a.mov('al', at('es', 'bx', 'si', 4)), '268a4004'],
  ['mov [bp], cx', (a) => a.mov(at('bp'), 'cx'), '894e00'],
  ['mov ax, [bp+di]', (a) => a.mov('ax', at('di', 'bp')), '8b03'],
  ['mov byte [0x7dfe], 0x55', (a) => a.mov(byteAt(0x7dfe), 0x55), 'c606fe7d55'],
  ['mov word [di+0x200], 0x1234', (a) => a.mov(wordAt('di', 0x200), 0x1234), 'c78500023412'],
  ['mov eax, [ebx*4+0x10]', (a) => a.mov('eax', at(scaled('ebx', 4), 0x10)), '67668b049d10000000'],
  ['mov eax, cr0', (a) => a.mov('eax', 'cr0'), '0f20c0'],
  ['mov cr0, eax', (a) => a.mov('cr0', 'eax'), '0f22c0'],
  ['add ax, 5', (a) => a.add('ax', 5), '83c005'],
  ['sub cx, 0x300', (a) => a.sub('cx', 0x300), '81e90003'],
  ['xor dx, dx', (a) => a.xor('dx', 'dx'), '31d2'],
  ['cmp byte [si], 0x20', (a) => a.cmp(byteAt('si'), 0x20), '803c20'],
  ['cmp al, [si]', (a) => a.cmp('al', at('si')), '3a04'],
  ['test al, 0x20', (a) => a.test('al', 0x20), 'f6c020'],
  ['test word [bx], 0x100', (a) => a.test(wordAt('bx'), 0x100), 'f7070001'],
  ['inc si', (a) => a.inc('si'), '46'],
  ['dec word [bx]', (a) => a.dec(wordAt('bx')), 'ff0f'],
  ['mul bl', (a) => a.mul('bl'), 'f6e3'],
  ['div ecx', (a) => a.div('ecx'), '66f7f1'],
  ['imul ax, bx', (a) => a.imul('ax', 'bx'), '0fafc3'],
  ['shl ax, 1', (a) => a.shl('ax', 1), 'd1e0'],
  ['shr al, 4', (a) => a.shr('al', 4), 'c0e804'],
  ['sar dx, cl', (a) => a.sar('dx', 'cl'), 'd3fa'],
  ['bt dword [bx], 3', (a) => a.bt(dwordAt('bx'), 3), '660fba2703'],
  ['xchg bx, ax', (a) => a.xchg('bx', 'ax'), '87c3'],
  ['lea si, [bx+2]', (a) => a.lea('si', at('bx', 2)), '8d7702'],
  ['movzx ax, byte [si]', (a) => a.movzx('ax', byteAt('si')), '0fb604'],
  ['movsx eax, bx', (a) => a.movsx('eax', 'bx'), '660fbfc3'],
  ['push ax; push es; push fs; push 5; push 0x300', (a) => a.push('ax').push('es').push('fs').push(5).push(0x300), '50060fa06a05680003'],
  ['pop gs; pop ds; pop word [bx]', (a) => a.pop('gs').pop('ds').pop(wordAt('bx')), '0fa91f8f07'],
  ['pusha; popa; pushf; popf', (a) => a.pusha().popa().pushf().popf(), '60619c9d'],
  ['rep movsb; rep stosd; lodsw; repe cmpsb', (a) => a.rep().movsb().rep().stosd().lodsw().repe().cmpsb(), 'f3a4f366abadf3a6'],
  ['in al, 0x60; in ax, dx; in eax, dx', (a) => a.in('al', 0x60).in('ax', 'dx').in('eax', 'dx'), 'e460ed66ed'],
  ['out 0x43, al; out dx, al', (a) => a.out(0x43, 'al').out('dx', 'al'), 'e643ee'],
  ['int 0x13; int3; iret; hlt', (a) => a.int(0x13).int3().iret().hlt(), 'cd13cccff4'],
  ['jmp 0xf000:0x1234', (a) => a.jmpFar(0xf000, 0x1234), 'ea341200f0'],
  ['jmp dword 8:0xf0010', (a) => a.jmpFar(8, 0xf0010, 32), '66ea10000f000800'],
  ['lgdt cs:[0x100]; lidt [0x200]', (a) => a.lgdt(at('cs', 0x100)).lidt(at(0x200)), '2e0f0116' + '0001' + '0f011e' + '0002'],
  ['setz al; cbw; not al; neg bx', (a) => a.setcc('z', 'al').cbw().not('al').neg('bx'), '0f94c098f6d0f7db'],
  ['jmp [bx]; call [bx]', (a) => a.jmp(wordAt('bx')).call(wordAt('bx')), 'ff27ff17'],
]

const cases32: typeof cases16 = [
  ['mov eax, 0x220', (a) => a.mov('eax', 0x220), 'b820020000'],
  ['mov ax, bx', (a) => a.mov('ax', 'bx'), '6689d8'],
  ['mov dword [0x1000], 3', (a) => a.mov(dwordAt(0x1000), 3), 'c7050010000003000000'],
  ['mov eax, [esp+4]', (a) => a.mov('eax', at('esp', 4)), '8b442404'],
  ['mov al, [bx]', (a) => a.mov('al', at('bx')), '678a07'],
  ['jmp 0x18:0x1000', (a) => a.jmpFar(0x18, 0x1000), 'ea001000001800'],
  ['and eax, 0x9fffffff', (a) => a.and('eax', 0x9fffffff), '81e0ffffff9f'],
]

const cases64: typeof cases16 = [
  ['mov rax, 0x1122334455667788', (a) => a.mov('rax', 0x1122334455667788n), '48b88877665544332211'],
  ['mov rax, -1', (a) => a.mov('rax', -1), '48c7c0ffffffff'],
  ['mov r9d, 16', (a) => a.mov('r9d', 16), '41b910000000'],
  ['mov sil, 1', (a) => a.mov('sil', 1), '40b601'],
  ['add r8, rax', (a) => a.add('r8', 'rax'), '4901c0'],
  ['mov rsi, [0x50b0]', (a) => a.mov('rsi', qwordAt(0x50b0)), '488b3425b0500000'],
  ['mov al, [rbx+rax]', (a) => a.mov('al', byteAt('rbx', 'rax')), '8a0403'],
  ['mov rax, [r13]', (a) => a.mov('rax', at('r13')), '498b4500'],
  ['mov rax, [r12+r9*8+0x100]', (a) => a.mov('rax', at('r12', scaled('r9', 8), 0x100)), '4b8b84cc00010000'],
  ['movzx eax, sil', (a) => a.movzx('eax', 'sil'), '400fb6c6'],
  ['inc r12; dec ecx', (a) => a.inc('r12').dec('ecx'), '49ffc4ffc9'],
  ['rol rax, 13', (a) => a.rol('rax', 13), '48c1c00d'],
  ['imul rax, rbx', (a) => a.imul('rax', 'rbx'), '480fafc3'],
  ['push rax; push r12; pop rax', (a) => a.push('rax').push('r12').pop('rax'), '50415458'],
  ['movq xmm1, rax; fxsave [0x5000]', (a) => a.movToVector('xmm1', 'rax').fxsave(at(0x5000)), '66480f6ec80fae042500500000'],
  ['iretq; rdmsr; wrmsr; cpuid; rdtsc; pause', (a) => a.iret().rdmsr().wrmsr().cpuid().rdtsc().pause(), '48cf0f320f300fa20f31f390'],
  ['mov cr3, rax', (a) => a.mov('cr3', 'rax'), '0f22d8'],
  ['jmp [rax]; call [rbx]', (a) => a.jmp(at('rax')).call(qwordAt('rbx')), 'ff20ff13'],
  ['rep stosq', (a) => a.rep().stosq(), 'f348ab'],
]

test.each(cases16)('16-bit: %s', (_text, write, expected) => expect(bytes(16, write)).toBe(expected))
test.each(cases32)('32-bit: %s', (_text, write, expected) => expect(bytes(32, write)).toBe(expected))
test.each(cases64)('64-bit: %s', (_text, write, expected) => expect(bytes(64, write)).toBe(expected))

test('jumps take the distance from the end of the instruction', () => {
  expect(bytes(16, (a) => a.label('top').nop().jmp('top'))).toBe('90ebfd')
  expect(bytes(16, (a) => a.jz('end').nop().label('end'))).toBe('0f84010090')
  expect(bytes(16, (a) => a.jcc('c', 'end', 'short').nop().label('end'))).toBe('720190')
  expect(bytes(32, (a) => a.call('end').label('end'))).toBe('e800000000')
  expect(bytes(16, (a) => a.label('top').nop().loop('top'))).toBe('90e2fd')
})

test('a label out of short range backwards gets a near jump', () => {
  const far = bytes(16, (a) => a.label('top').padTo(200).jmp('top'))
  expect(far.slice(400)).toBe('e935ff')
})

test('label addresses count from the origin and take an addend', () => {
  const program = new Assembler(0x7c00).bits(16).mov('si', ref('message', 2)).label('message').word(ref('message')).assemble()
  expect(Buffer.from(program).toString('hex')).toBe('be057c' + '037c')
})

test('labels in 64-bit code are addressed relative to the end of the instruction, immediates included', () => {
  expect(bytes(64, (a) => a.lea('rsi', at(ref('here'))).label('here'))).toBe('488d3500000000')
  expect(bytes(64, (a) => a.mov(dwordAt(ref('here')), 1).label('here'))).toBe('c7050000000001000000')
})

test('labels that begin with a dot belong to the label before them', () => {
  const program = bytes(16, (a) => a.label('one').label('.loop').jmp('.loop').label('two').label('.loop').jmp('.loop'))
  expect(program).toBe('ebfe' + 'ebfe')
})

test('data directives are little endian', () => {
  expect(bytes(16, (a) => a.byte(1).word(0x0203).dword(-2).qword(1n).text('Hi').data(Uint8Array.of(9)).align(4))).toBe(
    '01' + '0302' + 'feffffff' + '0100000000000000' + '4869' + '09' + '0000',
  )
})

test.each<[what: string, write: Write, message: RegExp]>([
  ['an undefined label', (a) => a.jmp('nowhere'), /nowhere is used but never defined/],
  ['a label defined twice', (a) => a.label('x').label('x'), /x is defined twice/],
  ['a short jump too far', (a) => a.jmp('end', 'short').padTo(300).label('end'), /too far/],
  ['a value that does not fit', (a) => a.mov('al', 300), /doesn't fit into 1 byte/],
  ['operands of two sizes', (a) => a.mov('ax', 'bl'), /ax has 16 bits|bl has 8 bits/],
  ['memory without a size', (a) => a.inc(at('bx')), /size of a memory operand/],
  ['two memory operands', (a) => a.mov(at('bx'), at('si')), /at most one memory operand/],
  ['a 64-bit register in 16-bit code', (a) => a.mov('rax', 1), /64-bit/],
  ['an address that 16-bit code lacks', (a) => a.mov('al', at('ax')), /can't address \[ax\]/],
  ['a byte register as an address', (a) => a.mov('al', at('al' as 'ax')), /can't address memory/],
  ['padding backwards', (a) => a.nop().padTo(0), /1 bytes past 0x0/],
  ['a wide port number', (a) => a.out(0x3f8, 'al'), /through dx/],
  ['text outside Latin-1', (a) => a.text('→'), /doesn't fit into one byte/],
])('refuses %s', (_what, write, message) => expect(() => bytes(16, write)).toThrow(message))

test('refuses what 64-bit code lost', () => {
  expect(() => bytes(64, (a) => a.push('es'))).toThrow(/64-bit/)
  expect(() => bytes(64, (a) => a.mov('ah', 'sil'))).toThrow(/REX/)
})
