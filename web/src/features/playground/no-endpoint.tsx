import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';

import { Empty } from '@/ui/feedback';

export const NoEndpoint = ({ task }: { task: string }) => (
  <Empty title={`No ${task} endpoint is here yet`} action={<Button renderRoot={(props) => <Link to="/create-endpoint" {...props} />}>Create serving endpoint</Button>}>
    Create an endpoint for such a model; then you can try it here.
  </Empty>
);
