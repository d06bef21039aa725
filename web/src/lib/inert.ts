 
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
 
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g;
/** Marks that turn the direction of text round: they can make it read as what it is not. */
const DIRECTIONS = /[\u202a-\u202e\u2066-\u2069]/g;

/** Text for people to read: without terminals' escapes, and with what cannot be seen made visible. */
export const inert = (text: string): string => text.replace(ESCAPES, '').replace(DIRECTIONS, '�').replace(CONTROLS, '�');
