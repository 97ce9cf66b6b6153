/** X11 keysyms of the keys that are sent by name (X.Org keysymdef.h); the RFB protocol carries these. */
export const keysyms = {
  BackSpace: 0xff08, Tab: 0xff09, Return: 0xff0d, Pause: 0xff13, Scroll_Lock: 0xff14, Sys_Req: 0xff15, Escape: 0xff1b,
  Insert: 0xff63, Menu: 0xff67, Num_Lock: 0xff7f, Print: 0xff61, Break: 0xff6b, Delete: 0xffff,
  F1: 0xffbe, F4: 0xffc1,
  Shift_L: 0xffe1, Control_L: 0xffe3, Alt_L: 0xffe9, Super_L: 0xffeb, ISO_Level3_Shift: 0xfe03,
} as const
