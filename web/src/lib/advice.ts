/** What to do about a failure, by what its message says; nothing where that is not known. */
export function nextStep(message: string): string {
  if (/memory|room|fit/i.test(message)) return 'Stop or delete an endpoint that is not needed, or choose a smaller model or throughput.';
  if (/gated|401|403|access/i.test(message)) return 'Accept the model’s terms at its source and give the server a token for it.';
  if (/sha|hash|corrupt|checksum|weights/i.test(message)) return 'Register the model again: its files are not what they should be.';
  if (/network|connect|resolve|timed out/i.test(message)) return 'Check the server’s way to the model’s source, or its OPENFM_EGRESS_ALLOW.';
  return '';
}
