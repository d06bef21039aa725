import { TextInput } from '@mantine/core';
import { useState } from 'react';

import { setTokenComment, type TokenInfo } from '@/api/people';
import { FormDialog } from '@/ui/form-dialog';

export function EditComment({ token, whose, onClose }: { token: TokenInfo; whose: 'own' | 'all'; onClose: () => void }) {
  const [comment, setComment] = useState(token.comment);
  return (
    <FormDialog title="Edit the comment" action="Save" failed="The comment was not changed" queryKey="tokens" onClose={onClose} submit={() => setTokenComment(token.token_id, comment.trim(), whose === 'own')}>
      <TextInput label="Comment" description="What uses the token" value={comment} onChange={(event) => setComment(event.currentTarget.value)} data-autofocus />
    </FormDialog>
  );
}
